// SPDX-License-Identifier: Apache-2.0

// Reads documents with Go's encoding/json into structs that have the tags of Fabric's, and prints
// what came of each: one JSON object a line in, one a line out.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"time"
)

type Duration time.Duration

func (d *Duration) UnmarshalJSON(b []byte) error {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	switch value := v.(type) {
	case float64:
		*d = Duration(time.Duration(value))
	case string:
		read, err := time.ParseDuration(value)
		if err != nil {
			return err
		}
		*d = Duration(read)
	default:
		return errors.New("invalid duration")
	}
	return nil
}

type ChaincodeServerUserData struct {
	Address            string   `json:"address"`
	Domain             string   `json:"domain"`
	DialTimeout        Duration `json:"dial_timeout"`
	TLSRequired        bool     `json:"tls_required"`
	ClientAuthRequired bool     `json:"client_auth_required"`
	ClientKey          string   `json:"client_key"`
	ClientCert         string   `json:"client_cert"`
	RootCert           string   `json:"root_cert"`
}

type connection struct {
	Address     string `json:"address"`
	DialTimeout string `json:"dial_timeout"`
	TLS         bool   `json:"tls_required"`
	ClientAuth  bool   `json:"client_auth_required"`
	RootCert    string `json:"root_cert"`
	ClientKey   string `json:"client_key"`
	ClientCert  string `json:"client_cert"`
}

type ChaincodePackageMetadata struct {
	Type  string `json:"type"`
	Path  string `json:"path"`
	Label string `json:"label"`
}

type endorsementPolicy struct {
	ChannelConfigPolicy string `json:"channelConfigPolicy,omitempty"`
	SignaturePolicy     string `json:"signaturePolicy,omitempty"`
}

type collectionConfigJson struct {
	Name              string             `json:"name"`
	Policy            string             `json:"policy"`
	RequiredPeerCount *int32             `json:"requiredPeerCount"`
	MaxPeerCount      *int32             `json:"maxPeerCount"`
	BlockToLive       uint64             `json:"blockToLive"`
	MemberOnlyRead    bool               `json:"memberOnlyRead"`
	MemberOnlyWrite   bool               `json:"memberOnlyWrite"`
	EndorsementPolicy *endorsementPolicy `json:"endorsementPolicy,omitempty"`
}

type request struct {
	Kind  string
	First bool
	Data  []byte
}

type answer struct {
	Error string `json:"error"`
	Value any    `json:"value"`
}

func target(kind string) any {
	switch kind {
	case "any":
		var v any
		return &v
	case "server":
		return &ChaincodeServerUserData{}
	case "connection":
		return &connection{}
	case "metadata":
		return &ChaincodePackageMetadata{}
	case "collections":
		return &[]collectionConfigJson{}
	case "input":
		return &struct {
			Function string
			Args     []string
		}{}
	case "transient":
		return &map[string][]byte{}
	}
	panic(kind)
}

func read(asked request) answer {
	if asked.Kind == "base64" {
		value, err := base64.StdEncoding.DecodeString(string(asked.Data))
		if err != nil {
			return answer{Error: err.Error()}
		}
		return answer{Value: value}
	}
	into := target(asked.Kind)
	var err error
	if asked.First {
		err = json.NewDecoder(bytes.NewReader(asked.Data)).Decode(into)
	} else {
		err = json.Unmarshal(asked.Data, into)
	}
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Value: into}
}

func main() {
	lines := bufio.NewReader(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var asked request
		if err := json.Unmarshal(line, &asked); err != nil {
			panic(err)
		}
		if err := out.Encode(read(asked)); err != nil {
			panic(err)
		}
	}
}
