// SPDX-License-Identifier: Apache-2.0

// Prints raftpb messages as a release of etcd's Raft encodes them: `go run .`, and `go run -tags etcd36 .`.
package main

import (
	"fmt"
	"strings"
)

func must(encoded []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return encoded
}

// told says what is in a message, field by field.
func told(m Message) string {
	var entries []string
	for _, e := range m.Entries {
		entries = append(entries, fmt.Sprintf("%d/%d/%d/%x", e.Type, e.Term, e.Index, e.Data))
	}
	s := snapshot(m)
	return fmt.Sprintf("type=%d to=%d from=%d term=%d logTerm=%d index=%d commit=%d reject=%t hint=%d context=%x entries=[%s] snapshot=%d/%d/%d/%x",
		m.Type, m.To, m.From, m.Term, m.LogTerm, m.Index, m.Commit, m.Reject, m.RejectHint, m.Context,
		strings.Join(entries, " "), s.Metadata.Index, s.Metadata.Term, s.Metadata.ConfState.Voters, s.Data)
}

func main() {
	change := ConfChange{Type: ConfChangeRemoveNode, NodeID: 300}
	data := must(change.Marshal())
	messages := []Message{
		{},
		{Type: MsgHeartbeat, To: 1, From: 2, Term: 3, Commit: 4},
		{Type: MsgHeartbeatResp, To: 2, From: 1, Term: 3, Context: []byte("context")},
		{Type: MsgVote, To: 3, From: 1, Term: 1 << 40, LogTerm: 1<<40 - 1, Index: 1 << 33, Context: []byte("CampaignTransfer")},
		{Type: MsgPreVoteResp, To: 1, From: 3, Term: 8, Reject: true},
		{Type: MsgAppResp, To: 1, From: 3, Term: 8, Index: 90, Reject: true, RejectHint: 70, LogTerm: 6},
		{Type: MsgApp, To: 300, From: 1, Term: 8, LogTerm: 7, Index: 127, Commit: 126, Entries: []Entry{
			{Term: 7, Index: 128, Data: []byte("a block")},
			{Term: 8, Index: 129},
			{Type: EntryConfChange, Term: 8, Index: 130, Data: data},
			{Term: 8, Index: 131, Data: make([]byte, 300)},
		}},
		withSnapshot(Message{Type: MsgSnap, To: 2, From: 1, Term: 8}, Snapshot{Data: []byte("the block"),
			Metadata: SnapshotMetadata{Index: 1000, Term: 7, ConfState: ConfState{Voters: []uint64{1, 2, 300}}}}),
		{Type: MsgTimeoutNow, To: 2, From: 1, Term: 8},
	}
	for _, m := range messages {
		fmt.Printf("%s %x %s\n", release, must(m.Marshal()), told(m))
	}
}
