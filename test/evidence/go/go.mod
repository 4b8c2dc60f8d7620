module crosscheck

go 1.18

require (
	github.com/gowebpki/jcs v1.0.1
	golang.org/x/mod v0.17.0
)
