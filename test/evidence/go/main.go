// Checks what express-strongroom wrote, and writes what it must read, with the packages that Go itself uses for its checksum database.
// It shares no code and no line of thought with src/evidence.
package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"os"
	"strings"

	"github.com/gowebpki/jcs"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const treeHead = "go.sum database tree\n" // tlog parses the checkpoints of one log only; its first line is ours to replace

type tree []tlog.Hash

func (t tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		hashes[i] = t[index]
	}
	return hashes, nil
}

func (t *tree) add(n int64, leaf tlog.Hash) {
	*t = append(*t, must(tlog.StoredHashesForRecordHash(n, leaf, *t))...)
}

func (t tree) root(n int64) tlog.Hash {
	if n == 0 {
		return sha256.Sum256(nil)
	}
	return must(tlog.TreeHash(n, t))
}

// The roots of the whole subtrees, largest first.
func (t tree) peaks(n int64) []byte {
	var peaks []byte
	for begin := int64(0); begin < n; {
		level := 63 - bits.LeadingZeros64(uint64(n-begin))
		hash := t[tlog.StoredHashIndex(level, begin>>level)]
		peaks = append(peaks, hash[:]...)
		begin += 1 << level
	}
	return peaks
}

func main() {
	switch command := os.Args[1]; command {
	case "check":
		check(os.Args[2])
	case "make":
		makeTrees(os.Args[2])
	case "write":
		write()
	}
}

// Trees of the records `record 0`, `record 1`, ... as Go makes, signs and proves them.
func makeTrees(name string) {
	type made struct {
		Size, Index int64
		Root        tlog.Hash
		Note        string
		Path        tlog.RecordProof
	}
	skey, vkey, err := note.GenerateKey(rand.Reader, name)
	try(err)
	otherKey, _, err := note.GenerateKey(rand.Reader, "witness.example/w1")
	try(err)
	signer, other := must(note.NewSigner(skey)), must(note.NewSigner(otherKey))
	var all tree
	var trees []made
	for size := int64(1); size <= 130; size++ {
		all.add(size-1, tlog.RecordHash([]byte(fmt.Sprintf("record %d", size-1))))
		root, index := all.root(size), (size*5+3)%size
		text := strings.Replace(string(tlog.FormatTree(tlog.Tree{N: size, Hash: root})), treeHead, name+"\n", 1)
		signed := must(note.Sign(&note.Note{Text: text}, other, signer))
		trees = append(trees, made{size, index, root, string(signed), must(tlog.ProveRecord(size, index, all))})
	}
	print(map[string]any{"skey": skey, "vkey": vkey, "trees": trees})
}

// Canonical text of what comes in: a line with 16 hex digits is the bits of a number, any other is JSON.
func write() {
	input := bufio.NewReader(os.Stdin)
	output := bufio.NewWriter(os.Stdout)
	defer output.Flush()
	for {
		line, err := input.ReadBytes('\n')
		if err != nil {
			return
		}
		line = bytes.TrimSuffix(line, []byte("\n"))
		if raw, err := hex.DecodeString(string(line)); err == nil && len(raw) == 8 {
			var number uint64
			for _, octet := range raw {
				number = number<<8 | uint64(octet)
			}
			fmt.Fprintln(output, must(jcs.NumberToJSON(math.Float64frombits(number))))
		} else {
			fmt.Fprintln(output, string(must(jcs.Transform(line))))
		}
	}
}

func lines(path string) [][]byte {
	text := must(os.ReadFile(path))
	assert(len(text) == 0 || bytes.HasSuffix(text, []byte("\n")), "%s does not end its last line", path)
	if len(text) == 0 {
		return nil
	}
	return bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
}

func print(value any) { fmt.Println(string(must(json.Marshal(value)))) }

func must[Value any](value Value, err error) Value {
	try(err)
	return value
}

func try(err error) { assert(err == nil, "%v", err) }

func assert(holds bool, format string, values ...any) {
	if !holds {
		fmt.Fprintf(os.Stderr, format+"\n", values...)
		os.Exit(1)
	}
}
