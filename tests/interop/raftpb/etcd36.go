// SPDX-License-Identifier: Apache-2.0

//go:build etcd36

package main

import pb "go.etcd.io/raft/v3/raftpb"

const release = "3.6.0"

type (
	Message          = pb.Message
	Entry            = pb.Entry
	Snapshot         = pb.Snapshot
	SnapshotMetadata = pb.SnapshotMetadata
	ConfState        = pb.ConfState
	ConfChange       = pb.ConfChange
)

const (
	MsgHeartbeat         = pb.MsgHeartbeat
	MsgHeartbeatResp     = pb.MsgHeartbeatResp
	MsgVote              = pb.MsgVote
	MsgPreVoteResp       = pb.MsgPreVoteResp
	MsgApp               = pb.MsgApp
	MsgAppResp           = pb.MsgAppResp
	MsgSnap              = pb.MsgSnap
	MsgTimeoutNow        = pb.MsgTimeoutNow
	EntryConfChange      = pb.EntryConfChange
	ConfChangeRemoveNode = pb.ConfChangeRemoveNode
)

func withSnapshot(m Message, s Snapshot) Message {
	m.Snapshot = &s
	m.Vote = 9
	return m
}

func snapshot(m Message) Snapshot {
	if m.Snapshot == nil {
		return Snapshot{}
	}
	return *m.Snapshot
}
