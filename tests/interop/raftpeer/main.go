// SPDX-License-Identifier: Apache-2.0

// Plays members of a cluster with etcd's own Raft library, for whoever compares another implementation with it.
//
// Standard input has one command a line. The answer to each is what the member wants done, in lines, and an empty one.
package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"unsafe"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
)

type member struct {
	node    *raft.RawNode
	storage *raft.MemoryStorage
	ready   *raft.Ready
	timeout *int
	conf    pb.ConfState
}

type silent struct{}

func (silent) Debug(...interface{})              {}
func (silent) Debugf(string, ...interface{})     {}
func (silent) Error(...interface{})              {}
func (silent) Errorf(string, ...interface{})     {}
func (silent) Info(...interface{})               {}
func (silent) Infof(string, ...interface{})      {}
func (silent) Warning(...interface{})            {}
func (silent) Warningf(string, ...interface{})   {}
func (silent) Fatal(v ...interface{})            { panic(fmt.Sprint(v...)) }
func (silent) Fatalf(f string, v ...interface{}) { panic(fmt.Sprintf(f, v...)) }
func (silent) Panic(v ...interface{})            { panic(fmt.Sprint(v...)) }
func (silent) Panicf(f string, v ...interface{}) { panic(fmt.Sprintf(f, v...)) }

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func number(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	check(err)
	return n
}

// open starts a member on what its storage has. The election timeout is drawn by the library; it is set instead, so that
// both implementations have the same.
func open(id uint64, storage *raft.MemoryStorage, options []string) *member {
	snapshot, err := storage.Snapshot()
	check(err)
	node, err := raft.NewRawNode(&raft.Config{
		ID: id, ElectionTick: 10, HeartbeatTick: 1, Storage: storage, Applied: snapshot.Metadata.Index,
		MaxSizePerMsg: number(options[0]), MaxInflightMsgs: int(number(options[1])),
		CheckQuorum: true, PreVote: true, DisableProposalForwarding: true, Logger: silent{},
	})
	check(err)
	inner := reflect.ValueOf(node).Elem().FieldByName("raft").Elem().FieldByName("randomizedElectionTimeout")
	m := &member{node: node, storage: storage, timeout: (*int)(unsafe.Pointer(inner.UnsafeAddr()))}
	m.conf = snapshot.Metadata.ConfState
	return m
}

func begin(id uint64, options []string) *member {
	storage := raft.NewMemoryStorage()
	var entries []pb.Entry
	for place, voter := range options[2:] {
		data, err := (&pb.ConfChange{Type: pb.ConfChangeAddNode, NodeID: number(voter)}).Marshal()
		check(err)
		entries = append(entries, pb.Entry{Type: pb.EntryConfChange, Term: 1, Index: uint64(place + 1), Data: data})
	}
	if len(entries) > 0 {
		check(storage.Append(entries))
		check(storage.SetHardState(pb.HardState{Term: 1, Commit: uint64(len(entries))}))
	}
	return open(id, storage, options)
}

func entry(e pb.Entry) string { return fmt.Sprintf("%d/%d/%d/%x", e.Type, e.Term, e.Index, e.Data) }

func entries(all []pb.Entry) string {
	var texts []string
	for _, e := range all {
		texts = append(texts, entry(e))
	}
	return "[" + strings.Join(texts, " ") + "]"
}

func message(m pb.Message) string {
	s := pb.Snapshot{}
	if m.Snapshot != nil {
		s = *m.Snapshot
	}
	voters := s.Metadata.ConfState.Voters
	sort.Slice(voters, func(i, j int) bool { return voters[i] < voters[j] })
	return fmt.Sprintf("type=%d to=%d from=%d term=%d logTerm=%d index=%d commit=%d reject=%t hint=%d context=%x entries=%s snapshot=%d/%d/%d/%x",
		m.Type, m.To, m.From, m.Term, m.LogTerm, m.Index, m.Commit, m.Reject, m.RejectHint, m.Context, entries(m.Entries),
		s.Metadata.Index, s.Metadata.Term, voters, s.Data)
}

func (m *member) take(out *strings.Builder) {
	if m.ready != nil || !m.node.HasReady() {
		return
	}
	ready := m.node.Ready()
	m.ready = &ready
	if h := ready.HardState; !raft.IsEmptyHardState(h) {
		fmt.Fprintf(out, "hard %d %d %d\n", h.Term, h.Vote, h.Commit)
	}
	fmt.Fprintf(out, "sync %t save %s apply %s\n", ready.MustSync, entries(ready.Entries), entries(ready.CommittedEntries))
	if !raft.IsEmptySnap(ready.Snapshot) {
		fmt.Fprintf(out, "snapshot %d/%d\n", ready.Snapshot.Metadata.Index, ready.Snapshot.Metadata.Term)
	}
	for _, sent := range ready.Messages {
		fmt.Fprintln(out, message(sent))
	}
}

func (m *member) done() {
	ready := m.ready
	if ready == nil {
		return
	}
	if !raft.IsEmptySnap(ready.Snapshot) {
		check(m.storage.ApplySnapshot(ready.Snapshot))
		m.conf = ready.Snapshot.Metadata.ConfState
	}
	check(m.storage.Append(ready.Entries))
	if !raft.IsEmptyHardState(ready.HardState) {
		check(m.storage.SetHardState(ready.HardState))
	}
	for _, e := range ready.CommittedEntries {
		if e.Type == pb.EntryConfChange {
			var change pb.ConfChange
			check(change.Unmarshal(e.Data))
			m.conf = *m.node.ApplyConfChange(change)
		}
	}
	m.node.Advance(*ready)
	m.ready = nil
}

func (m *member) state(out *strings.Builder) {
	status := m.node.Status()
	fmt.Fprintf(out, "state %v leader %d term %d vote %d commit %d applied %d\n",
		status.RaftState, status.Lead, status.Term, status.Vote, status.Commit, status.Applied)
	var ids []uint64
	for id := range status.Progress {
		ids = append(ids, id)
	}
	sort.Slice(ids, func(i, j int) bool { return ids[i] < ids[j] })
	for _, id := range ids {
		progress := status.Progress[id]
		fmt.Fprintf(out, "%d: %s\n", id, progress.String())
	}
}

func main() {
	members := map[uint64]*member{}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, math.MaxInt32)
	writer := bufio.NewWriter(os.Stdout)
	for in.Scan() {
		words := strings.Fields(in.Text())
		if words[0] == "new" {
			members = map[uint64]*member{}
			continue
		}
		if words[0] == "flush" {
			check(writer.Flush())
			continue
		}
		id := number(words[1])
		m := members[id]
		rest := words[2:]
		var out strings.Builder
		switch words[0] {
		case "begin":
			m = begin(id, rest)
			members[id] = m
		case "restart":
			m = open(id, m.storage, rest)
			members[id] = m
		case "tick":
			m.node.Tick()
		case "campaign":
			_ = m.node.Campaign()
		case "propose":
			data, err := hex.DecodeString(rest[0])
			check(err)
			fmt.Fprintf(&out, "taken %t\n", m.node.Propose(data) == nil)
		case "change":
			change := pb.ConfChange{Type: pb.ConfChangeType(number(rest[0])), NodeID: number(rest[1])}
			fmt.Fprintf(&out, "taken %t\n", m.node.ProposeConfChange(change) == nil)
		case "transfer":
			m.node.TransferLeader(number(rest[0]))
		case "unreachable":
			m.node.ReportUnreachable(number(rest[0]))
		case "reported":
			status := raft.SnapshotFailure
			if rest[1] == "true" {
				status = raft.SnapshotFinish
			}
			m.node.ReportSnapshot(number(rest[0]), status)
		case "step":
			encoded, err := hex.DecodeString(rest[0])
			check(err)
			var received pb.Message
			check(received.Unmarshal(bytes.Clone(encoded)))
			_ = m.node.Step(received)
		case "ready":
			m.take(&out)
		case "advance":
			m.done()
		case "compact":
			index := number(rest[0])
			data := []byte(rest[1])
			_, err := m.storage.CreateSnapshot(index, &m.conf, data)
			check(err)
			if index > 5 {
				// What is compacted already stays so.
				_ = m.storage.Compact(index - 4)
			}
		default:
			panic(words[0])
		}
		*m.timeout = 10 + int(id)
		m.state(&out)
		fmt.Fprintln(writer, out.String())
	}
}
