// The check of an export folder: every checkpoint, root, segment and proof in it.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gowebpki/jcs"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type document struct {
	ID            int64 `json:"_id"`
	Entry, Note   string
	Peaks, Leaves []byte
}

type entry struct {
	Kind, Stream   string
	N, From, Count int64
	Root           tlog.Hash
}

// Reads an export folder and says how much of it was checked.
func check(folder string) {
	count := map[string]int{}
	events := map[string]tlog.Hash{}
	for _, line := range lines(filepath.Join(folder, "events.ndjson")) {
		var event struct {
			ID string `json:"_id"`
		}
		try(json.Unmarshal(line, &event))
		assert(bytes.Equal(must(jcs.Transform(line)), line), "%s is not canonical", event.ID)
		events[event.ID] = tlog.RecordHash(line)
	}
	var keys []note.Verifier
	for _, line := range lines(filepath.Join(folder, "keys.txt")) {
		keys = append(keys, must(note.NewVerifier(strings.Fields(string(line))[0])))
	}
	var ledger tree
	var roots []tlog.Hash
	for index, line := range lines(filepath.Join(folder, "ledger.ndjson")) {
		var found document
		var said entry
		try(json.Unmarshal(line, &found))
		try(json.Unmarshal([]byte(found.Entry), &said))
		n := int64(index)
		assert(found.ID == n && said.N == n, "the ledger has a gap at %d", n)
		assert(bytes.Equal(must(jcs.Transform(line)), line), "line %d is not canonical", n)
		assert(string(must(jcs.Transform([]byte(found.Entry)))) == found.Entry, "entry %d is not canonical", n)
		ledger.add(n, tlog.RecordHash([]byte(found.Entry)))
		head := open(found.Note, keys)
		assert(head.N == n+1 && head.Hash == ledger.root(n+1), "the checkpoint at %d is wrong", n)
		assert(bytes.Equal(found.Peaks, ledger.peaks(n+1)), "the peaks at %d are wrong", n)
		count["checkpoints"]++
		roots = append(roots, head.Hash)
		for _, old := range []int64{n, n / 2, n / 3} {
			if old > 0 {
				proof := must(tlog.ProveTree(n+1, old, ledger))
				try(tlog.CheckTree(proof, n+1, head.Hash, old, roots[old-1]))
				count["consistency"]++
			}
			proof := must(tlog.ProveRecord(n+1, old, ledger))
			try(tlog.CheckRecord(proof, n+1, head.Hash, old, ledger[tlog.StoredHashIndex(0, old)]))
			count["inclusion"]++
		}
		if said.Kind != "open" && said.Kind != "prune" {
			checkSegment(found, said, events, count)
		}
	}
	proofs := must(filepath.Glob(filepath.Join(folder, "*.tlog-proof")))
	for _, path := range proofs {
		id := strings.TrimSuffix(filepath.Base(path), ".tlog-proof")
		checkProof(string(must(os.ReadFile(path))), events[id], keys)
		count["proofs"]++
	}
	print(count)
}

func checkSegment(found document, said entry, events map[string]tlog.Hash, count map[string]int) {
	var segment tree
	assert(int64(len(found.Leaves)) == said.Count*tlog.HashSize, "entry %d lacks leaves", said.N)
	for i := int64(0); i < said.Count; i++ {
		var leaf tlog.Hash
		copy(leaf[:], found.Leaves[i*tlog.HashSize:])
		event, isThere := events[fmt.Sprintf("%s.%012d", said.Stream, said.From+i)]
		assert(!isThere || event == leaf, "event %d of entry %d is another one", i, said.N)
		if isThere {
			count["events"]++
		}
		segment.add(i, leaf)
	}
	assert(segment.root(said.Count) == said.Root, "the root of entry %d is wrong", said.N)
	count["segments"]++
}

// C2SP tlog-proof: the entry in the ledger, and in `extra` the event in the entry's segment.
func checkProof(text string, event tlog.Hash, keys []note.Verifier) {
	parts := strings.SplitN(text, "\n\n", 2)
	head := strings.Split(parts[0], "\n")
	var index int64
	must(fmt.Sscanf(head[2], "index %d", &index))
	var extra struct {
		Index int64
		Path  tlog.RecordProof
		Seal  string
	}
	var said entry
	assert(head[0] == "c2sp.org/tlog-proof@v1", "no tlog-proof")
	try(json.Unmarshal(must(base64.StdEncoding.DecodeString(strings.TrimPrefix(head[1], "extra "))), &extra))
	try(json.Unmarshal([]byte(extra.Seal), &said))
	var path tlog.RecordProof
	for _, line := range head[3:] {
		path = append(path, must(tlog.ParseHash(line)))
	}
	log := open(parts[1], keys)
	try(tlog.CheckRecord(path, log.N, log.Hash, index, tlog.RecordHash([]byte(extra.Seal))))
	try(tlog.CheckRecord(extra.Path, said.Count, said.Root, extra.Index, event))
}

func open(text string, keys []note.Verifier) tlog.Tree {
	opened := must(note.Open([]byte(text), note.VerifierList(keys...)))
	origin, rest, _ := strings.Cut(opened.Text, "\n")
	assert(origin == opened.Sigs[0].Name && strings.Count(rest, "\n") == 2, "no checkpoint of this log: %q", opened.Text)
	return must(tlog.ParseTree([]byte(treeHead + rest)))
}
