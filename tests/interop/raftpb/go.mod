module raftpb

go 1.23

require (
	github.com/gogo/protobuf v1.3.2
	github.com/golang/protobuf v1.5.4
	go.etcd.io/etcd/raft/v3 v3.5.9
	go.etcd.io/raft/v3 v3.6.0
	google.golang.org/protobuf v1.33.0
)
