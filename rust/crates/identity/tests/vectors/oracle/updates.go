// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hyperledger/fabric-lib-go/bccsp/utils"
	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
	mb "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	ob "github.com/hyperledger/fabric-protos-go-apiv2/orderer"
	pb "github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/hyperledger/fabric/common/channelconfig"
	"github.com/hyperledger/fabric/common/policies"
	"github.com/hyperledger/fabric/common/policydsl"
	"github.com/hyperledger/fabric/internal/configtxlator/update"
	"github.com/hyperledger/fabric/protoutil"
	"google.golang.org/protobuf/proto"
)

// corpus is the unpacked corpus "small"; crypto is the key material beside it.
var corpus, cryptoDir = os.Getenv("CORPUS_SMALL"), os.Getenv("CORPUS_CRYPTO")

type updateBase struct {
	Name    string `json:"name"`
	Channel string `json:"channel"`
	Config  []byte `json:"config"`
}

type updateCase struct {
	Name     string `json:"name"`
	Base     int    `json:"base"`
	Envelope []byte `json:"envelope"`
	Applies  bool   `json:"applies"`
	Error    string `json:"error,omitempty"`
}

type blockCase struct {
	Name     string `json:"name"`
	Base     int    `json:"base"`
	Number   uint64 `json:"number"`
	Previous []byte `json:"previous_hash"`
	Data     []byte `json:"data_hash"`
	Metadata []byte `json:"metadata"`
	Holds    bool   `json:"holds"`
	Error    string `json:"error,omitempty"`
}

type updates struct {
	Bases  []updateBase `json:"bases"`
	Cases  []updateCase `json:"cases"`
	Blocks []blockCase  `json:"blocks"`
}

// signer signs as one identity of the corpus.
type signer struct {
	identity []byte
	key      *ecdsa.PrivateKey
}

func loadSigner(mspid, folder string) signer {
	one := func(pattern string) []byte {
		files := must(filepath.Glob(filepath.Join(cryptoDir, folder, "msp", pattern)))
		return must(os.ReadFile(files[0]))
	}
	block, _ := pem.Decode(one("keystore/*"))
	key := must(x509.ParsePKCS8PrivateKey(block.Bytes)).(*ecdsa.PrivateKey)
	return signer{serialized(mspid, one("signcerts/*")), key}
}

func (s signer) sign(parts ...[]byte) []byte {
	hash := sha256.New()
	for _, part := range parts {
		hash.Write(part)
	}
	r, sValue, err := ecdsa.Sign(rand.Reader, s.key, hash.Sum(nil))
	check(err)
	sValue = must(utils.ToLowS(&s.key.PublicKey, sValue))
	return must(utils.MarshalECDSASignature(r, sValue))
}

func (s signer) header() []byte {
	return must(proto.Marshal(&cb.SignatureHeader{Creator: s.identity, Nonce: []byte("nonce")}))
}

func peerUser(org int, user string) signer {
	domain := fmt.Sprintf("org%d.example.com", org)
	return loadSigner(fmt.Sprintf("Org%dMSP", org), fmt.Sprintf("peerOrganizations/%s/users/%s@%s", domain, user, domain))
}

func genesis() (string, *cb.Config) {
	block := must(protoutil.UnmarshalBlock(must(os.ReadFile(filepath.Join(corpus, "genesis.block")))))
	envelope := must(protoutil.ExtractEnvelope(block, 0))
	payload := must(protoutil.UnmarshalPayload(envelope.Payload))
	header := must(protoutil.UnmarshalChannelHeader(payload.Header.ChannelHeader))
	config := &cb.ConfigEnvelope{}
	check(proto.Unmarshal(payload.Data, config))
	return header.ChannelId, config.Config
}

// overlay applies a write set as the validator would, without asking any policy.
func overlay(target, write *cb.ConfigGroup) *cb.ConfigGroup {
	result := proto.Clone(target).(*cb.ConfigGroup)
	for _, group := range []*cb.ConfigGroup{result, write} {
		if group.Groups == nil {
			group.Groups = map[string]*cb.ConfigGroup{}
		}
	}
	if write.Version != target.Version {
		result = proto.Clone(write).(*cb.ConfigGroup)
		for name := range result.Groups {
			if old, ok := target.Groups[name]; ok {
				result.Groups[name] = overlay(old, write.Groups[name])
			}
		}
		for name, value := range result.Values {
			if old, ok := target.Values[name]; ok && old.Version == value.Version {
				result.Values[name] = old
			}
		}
		for name, policy := range result.Policies {
			if old, ok := target.Policies[name]; ok && old.Version == policy.Version {
				result.Policies[name] = old
			}
		}
		return result
	}
	for name, group := range write.Groups {
		if old, ok := target.Groups[name]; ok {
			result.Groups[name] = overlay(old, group)
		}
	}
	for name, value := range write.Values {
		if old, ok := target.Values[name]; ok && old.Version != value.Version {
			result.Values[name] = value
		}
	}
	for name, policy := range write.Policies {
		if old, ok := target.Policies[name]; ok && old.Version != policy.Version {
			result.Policies[name] = policy
		}
	}
	return result
}

// attempt is one update: how it is made and what is spoiled.
type attempt struct {
	name     string
	change   func(*cb.ConfigGroup)
	update   func(*cb.ConfigUpdate)
	signers  []signer
	spoil    func(*cb.ConfigUpdateEnvelope)
	envelope func(*cb.ConfigEnvelope)
	kind     cb.HeaderType
}

func (a attempt) run(channel string, config *cb.Config) ([]byte, error) {
	target := proto.Clone(config).(*cb.Config)
	if a.change != nil {
		a.change(target.ChannelGroup)
	}
	configUpdate, err := update.Compute(config, target)
	if err != nil {
		configUpdate = &cb.ConfigUpdate{ReadSet: &cb.ConfigGroup{}, WriteSet: &cb.ConfigGroup{}}
	}
	configUpdate.ChannelId = channel
	if a.update != nil {
		a.update(configUpdate)
	}
	updateEnvelope := &cb.ConfigUpdateEnvelope{ConfigUpdate: must(proto.Marshal(configUpdate))}
	for _, one := range a.signers {
		updateEnvelope.Signatures = append(updateEnvelope.Signatures, &cb.ConfigSignature{
			SignatureHeader: one.header(), Signature: one.sign(one.header(), updateEnvelope.ConfigUpdate),
		})
	}
	if a.spoil != nil {
		a.spoil(updateEnvelope)
	}
	kind := a.kind
	if kind == 0 {
		kind = cb.HeaderType_CONFIG_UPDATE
	}
	payload := &cb.Payload{Data: must(proto.Marshal(updateEnvelope)), Header: &cb.Header{
		ChannelHeader: must(proto.Marshal(&cb.ChannelHeader{Type: int32(kind), ChannelId: channel})),
	}}
	result := config.ChannelGroup
	if configUpdate.WriteSet != nil {
		result = overlay(result, configUpdate.WriteSet)
	}
	envelope := &cb.ConfigEnvelope{
		Config:     &cb.Config{Sequence: config.Sequence + 1, ChannelGroup: result},
		LastUpdate: &cb.Envelope{Payload: must(proto.Marshal(payload))},
	}
	if a.envelope != nil {
		a.envelope(envelope)
	}
	bytes := must(proto.MarshalOptions{Deterministic: true}.Marshal(envelope))
	return bytes, apply(channel, config, bytes)
}

// apply does what a peer's channel does with a configuration transaction.
func apply(channel string, config *cb.Config, bytes []byte) error {
	current := must(channelconfig.NewBundle(channel, config, provider))
	envelope := &cb.ConfigEnvelope{}
	if err := proto.Unmarshal(bytes, envelope); err != nil {
		return err
	}
	if envelope.LastUpdate == nil {
		return fmt.Errorf("nil update")
	}
	if err := current.ConfigtxValidator().Validate(envelope); err != nil {
		return err
	}
	next, err := channelconfig.NewBundle(channel, envelope.Config, provider)
	if err != nil {
		return err
	}
	if err := current.ValidateNew(next); err != nil {
		return err
	}
	application, ok := next.ApplicationConfig()
	if !ok {
		return fmt.Errorf("no application section")
	}
	if err := application.Capabilities().Supported(); err != nil {
		return err
	}
	return next.ChannelConfig().Capabilities().Supported()
}

func value(group *cb.ConfigGroup, name string, message proto.Message) {
	entry := &cb.ConfigValue{ModPolicy: "Admins"}
	if old, ok := group.Values[name]; ok {
		entry.Version, entry.ModPolicy = old.Version, old.ModPolicy
	}
	entry.Value = must(proto.Marshal(message))
	group.Values[name] = entry
}

func batchSize(count uint32) func(*cb.ConfigGroup) {
	return func(root *cb.ConfigGroup) {
		value(root.Groups["Orderer"], "BatchSize", &ob.BatchSize{MaxMessageCount: count, AbsoluteMaxBytes: 10 << 20, PreferredMaxBytes: 1 << 20})
	}
}

func capability(group func(*cb.ConfigGroup) *cb.ConfigGroup, names ...string) func(*cb.ConfigGroup) {
	return func(root *cb.ConfigGroup) {
		capabilities := &cb.Capabilities{Capabilities: map[string]*cb.Capability{}}
		for _, name := range names {
			capabilities.Capabilities[name] = &cb.Capability{}
		}
		value(group(root), "Capabilities", capabilities)
	}
}

func section(path ...string) func(*cb.ConfigGroup) *cb.ConfigGroup {
	return func(group *cb.ConfigGroup) *cb.ConfigGroup {
		for _, name := range path {
			group = group.Groups[name]
		}
		return group
	}
}

func firstGroup(group *cb.ConfigGroup) string {
	first := ""
	for name := range group.Groups {
		if first == "" || name < first {
			first = name
		}
	}
	return first
}

func editMSP(org *cb.ConfigGroup, edit func(*mb.FabricMSPConfig)) {
	outer, inner := &mb.MSPConfig{}, &mb.FabricMSPConfig{}
	check(proto.Unmarshal(org.Values["MSP"].Value, outer))
	check(proto.Unmarshal(outer.Config, inner))
	edit(inner)
	outer.Config = must(proto.Marshal(inner))
	value(org, "MSP", outer)
}

func attempts(config *cb.Config) []attempt {
	ordererAdmin := loadSigner("OrdererMSP", "ordererOrganizations/orderer.example.com/users/Admin@orderer.example.com")
	admins := []signer{peerUser(1, "Admin"), peerUser(2, "Admin"), peerUser(3, "Admin")}
	user := peerUser(1, "User1")
	everyone := append([]signer{ordererAdmin}, admins...)
	application, orderer := section("Application"), section("Orderer")
	org1 := firstGroup(application(config.ChannelGroup))
	ordererOrg := firstGroup(orderer(config.ChannelGroup))
	anchor := func(root *cb.ConfigGroup) {
		value(application(root).Groups[org1], "AnchorPeers", &pb.AnchorPeers{AnchorPeers: []*pb.AnchorPeer{{Host: "h", Port: 7}}})
	}
	bump := func(edit func(root *cb.ConfigGroup)) func(*cb.ConfigUpdate) {
		return func(u *cb.ConfigUpdate) { edit(u.WriteSet) }
	}
	list := []attempt{
		{name: "batch size by the orderer's administrator", change: batchSize(77), signers: []signer{ordererAdmin}},
		{name: "batch size by everyone", change: batchSize(77), signers: everyone},
		{name: "batch size by nobody", change: batchSize(77)},
		{name: "batch size by an application administrator", change: batchSize(77), signers: admins[:1]},
		{name: "batch size with a bad signature", change: batchSize(77), signers: []signer{ordererAdmin}, spoil: func(e *cb.ConfigUpdateEnvelope) { e.Signatures[0].Signature[9] ^= 1 }},
		{name: "bad signature, then the same signer's good one", change: batchSize(77), signers: []signer{ordererAdmin, ordererAdmin}, spoil: func(e *cb.ConfigUpdateEnvelope) { e.Signatures[0].Signature[9] ^= 1 }},
		{name: "unreadable signer beside a good one", change: batchSize(77), signers: []signer{user, ordererAdmin}, spoil: func(e *cb.ConfigUpdateEnvelope) {
			e.Signatures[0].SignatureHeader = must(proto.Marshal(&cb.SignatureHeader{Creator: []byte("x")}))
		}},
		{name: "garbage signature header beside a good one", change: batchSize(77), signers: []signer{user, ordererAdmin}, spoil: func(e *cb.ConfigUpdateEnvelope) { e.Signatures[0].SignatureHeader = []byte{0xff} }},
		{name: "anchor peers by their administrator", change: anchor, signers: admins[:1]},
		{name: "anchor peers by another organization", change: anchor, signers: admins[1:2]},
		{name: "anchor peers by a user", change: anchor, signers: []signer{user}},
		{name: "application capabilities by a majority", change: capability(application, "V2_0"), signers: admins[:2]},
		{name: "application capabilities by one twice", change: capability(application, "V2_0"), signers: []signer{admins[0], admins[0]}},
		{name: "unsupported application capability", change: capability(application, "V9_9"), signers: admins},
		{name: "unsupported channel capability", change: capability(section(), "V3_0", "V8_8"), signers: everyone},
		{name: "unsupported orderer capability", change: capability(orderer, "V7_7"), signers: everyone},
		{name: "no orderer capabilities", change: func(root *cb.ConfigGroup) { delete(orderer(root).Values, "Capabilities") }, signers: everyone},
		{name: "lower channel capability", change: capability(section(), "V1_4_3"), signers: everyone},
		{name: "wrong sequence", change: batchSize(77), signers: everyone, envelope: func(e *cb.ConfigEnvelope) { e.Config.Sequence++ }},
		{name: "same sequence", change: batchSize(77), signers: everyone, envelope: func(e *cb.ConfigEnvelope) { e.Config.Sequence-- }},
		{name: "another result", change: batchSize(77), signers: everyone, envelope: func(e *cb.ConfigEnvelope) {
			e.Config.ChannelGroup.Groups["Orderer"].Values["BatchSize"].Value[1]++
		}},
		{name: "another mod policy in the result", change: batchSize(77), signers: everyone, envelope: func(e *cb.ConfigEnvelope) {
			e.Config.ChannelGroup.Groups["Application"].ModPolicy = "Writers"
		}},
		{name: "a group missing in the result", change: batchSize(77), signers: everyone, envelope: func(e *cb.ConfigEnvelope) { delete(e.Config.ChannelGroup.Groups["Application"].Groups, org1) }},
		{name: "no configuration", change: batchSize(77), signers: everyone, envelope: func(e *cb.ConfigEnvelope) { e.Config = nil }},
		{name: "no update", change: batchSize(77), signers: everyone, envelope: func(e *cb.ConfigEnvelope) { e.LastUpdate = nil }},
		{name: "garbage update", change: batchSize(77), signers: everyone, envelope: func(e *cb.ConfigEnvelope) { e.LastUpdate.Payload = []byte{0xff} }},
		{name: "empty update", change: batchSize(77), signers: everyone, envelope: func(e *cb.ConfigEnvelope) { e.LastUpdate.Payload = nil }},
		{name: "update of another type", change: batchSize(77), signers: everyone, kind: cb.HeaderType_CONFIG},
		{name: "another channel", change: batchSize(77), signers: everyone, update: func(u *cb.ConfigUpdate) { u.ChannelId = "other" }},
		{name: "nothing changes", signers: everyone},
		{name: "no write set", signers: everyone, update: func(u *cb.ConfigUpdate) { u.WriteSet = nil }},
		{name: "read set of another version", change: batchSize(77), signers: everyone, update: func(u *cb.ConfigUpdate) { u.ReadSet.Version += 3 }},
		{name: "read set of something else", change: batchSize(77), signers: everyone, update: func(u *cb.ConfigUpdate) {
			u.ReadSet.Groups = map[string]*cb.ConfigGroup{"Nothing": {}}
		}},
		{name: "no read set", change: batchSize(77), signers: everyone, update: func(u *cb.ConfigUpdate) { u.ReadSet = nil }},
		{name: "version skips one", change: batchSize(77), signers: everyone, update: bump(func(root *cb.ConfigGroup) { orderer(root).Values["BatchSize"].Version++ })},
		{name: "new value of version one", change: func(root *cb.ConfigGroup) { delete(orderer(root).Values, "BatchTimeout") }, signers: everyone, update: bump(func(root *cb.ConfigGroup) {
			orderer(root).Values["KafkaBrokers"] = &cb.ConfigValue{Version: 1, ModPolicy: "Admins"}
		})},
		{name: "new value", change: func(root *cb.ConfigGroup) {
			value(orderer(root), "KafkaBrokers", &ob.KafkaBrokers{Brokers: []string{"b:1"}})
		}, signers: everyone},
		{name: "new value by too few", change: func(root *cb.ConfigGroup) { value(orderer(root), "KafkaBrokers", &ob.KafkaBrokers{}) }, signers: admins},
		{name: "new value without mod policy", change: func(root *cb.ConfigGroup) {
			value(orderer(root), "KafkaBrokers", &ob.KafkaBrokers{})
			orderer(root).Values["KafkaBrokers"].ModPolicy = ""
		}, signers: everyone},
		{name: "unknown value", change: func(root *cb.ConfigGroup) { value(orderer(root), "Unknown", &ob.KafkaBrokers{}) }, signers: everyone},
		{name: "illegal name", change: func(root *cb.ConfigGroup) { value(orderer(root), "Kafka Brokers", &ob.KafkaBrokers{}) }, signers: everyone},
		{name: "illegal mod policy", change: func(root *cb.ConfigGroup) {
			batchSize(77)(root)
			orderer(root).Values["BatchSize"].ModPolicy = "a b"
		}, signers: everyone},
		{name: "absolute mod policy", change: func(root *cb.ConfigGroup) {
			batchSize(77)(root)
			orderer(root).Values["BatchSize"].ModPolicy = "/Channel/Application/Admins"
		}, signers: everyone},
		{name: "mod policy of no policy", change: func(root *cb.ConfigGroup) {
			batchSize(77)(root)
			orderer(root).Values["BatchSize"].ModPolicy = "/Channel/Nothing/Admins"
		}, signers: everyone},
		{name: "bad batch timeout", change: func(root *cb.ConfigGroup) { value(orderer(root), "BatchTimeout", &ob.BatchTimeout{Timeout: "0s"}) }, signers: everyone},
		{name: "odd batch timeout", change: func(root *cb.ConfigGroup) { value(orderer(root), "BatchTimeout", &ob.BatchTimeout{Timeout: "1.5h2us"}) }, signers: everyone},
		{name: "zero batch size", change: batchSize(0), signers: everyone},
		{name: "garbage value", change: func(root *cb.ConfigGroup) {
			batchSize(77)(root)
			orderer(root).Values["BatchSize"].Value = []byte{0xff}
		}, signers: everyone},
		{name: "no orderer section", change: func(root *cb.ConfigGroup) { delete(root.Groups, "Orderer") }, signers: everyone},
		{name: "no application section", change: func(root *cb.ConfigGroup) { delete(root.Groups, "Application") }, signers: everyone},
		{name: "consortiums appear", change: func(root *cb.ConfigGroup) { root.Groups["Consortiums"] = &cb.ConfigGroup{ModPolicy: "Admins"} }, signers: everyone},
		{name: "unknown section", change: func(root *cb.ConfigGroup) { root.Groups["Other"] = &cb.ConfigGroup{ModPolicy: "Admins"} }, signers: everyone},
		{name: "an organization leaves", change: func(root *cb.ConfigGroup) { delete(application(root).Groups, org1) }, signers: everyone},
		{name: "an organization comes", change: func(root *cb.ConfigGroup) {
			application(root).Groups["Again"] = proto.Clone(application(root).Groups[org1]).(*cb.ConfigGroup)
		}, signers: everyone},
		{name: "an organization comes with another definition of its MSP", change: func(root *cb.ConfigGroup) {
			again := proto.Clone(application(root).Groups[org1]).(*cb.ConfigGroup)
			editMSP(again, func(c *mb.FabricMSPConfig) { c.TlsRootCerts = nil })
			application(root).Groups["Again"] = again
		}, signers: everyone},
		{name: "an organization has a group", change: func(root *cb.ConfigGroup) {
			application(root).Groups[org1].Groups = map[string]*cb.ConfigGroup{"sub": {ModPolicy: "Admins"}}
		}, signers: everyone},
		{name: "an MSP is renamed", change: func(root *cb.ConfigGroup) {
			editMSP(application(root).Groups[org1], func(c *mb.FabricMSPConfig) { c.Name = "RenamedMSP" })
		}, signers: everyone},
		{name: "an MSP has no name", change: func(root *cb.ConfigGroup) {
			editMSP(application(root).Groups[org1], func(c *mb.FabricMSPConfig) { c.Name = "" })
		}, signers: everyone},
		{name: "an MSP has no roots", change: func(root *cb.ConfigGroup) {
			editMSP(application(root).Groups[org1], func(c *mb.FabricMSPConfig) { c.RootCerts = nil })
		}, signers: everyone},
		{name: "an MSP gets another root", change: func(root *cb.ConfigGroup) {
			editMSP(application(root).Groups[org1], func(c *mb.FabricMSPConfig) { c.RootCerts = append(c.RootCerts, ca("new", nil, p256()).pem) })
		}, signers: everyone},
		{name: "an MSP of unknown type", change: func(root *cb.ConfigGroup) { value(application(root).Groups[org1], "MSP", &mb.MSPConfig{Type: 7}) }, signers: everyone},
		{name: "an Idemix MSP", change: func(root *cb.ConfigGroup) { value(application(root).Groups[org1], "MSP", &mb.MSPConfig{Type: 1}) }, signers: everyone},
		{name: "no MSP", change: func(root *cb.ConfigGroup) { delete(application(root).Groups[org1].Values, "MSP") }, signers: everyone},
		{name: "ACLs", change: func(root *cb.ConfigGroup) {
			value(application(root), "ACLs", &pb.ACLs{Acls: map[string]*pb.APIResource{"a": {PolicyRef: "Readers"}, "b": {}}})
		}, signers: everyone},
		{name: "ACLs without capability", change: func(root *cb.ConfigGroup) {
			value(application(root), "ACLs", &pb.ACLs{})
			capability(application, "V1_1")(root)
		}, signers: everyone},
		{name: "global orderer addresses", change: func(root *cb.ConfigGroup) {
			value(root, "OrdererAddresses", &cb.OrdererAddresses{Addresses: []string{"a:1"}})
		}, signers: everyone},
		{name: "orderer organization without endpoints", change: func(root *cb.ConfigGroup) { delete(orderer(root).Groups[ordererOrg].Values, "Endpoints") }, signers: everyone},
		{name: "consensus type changes", change: func(root *cb.ConfigGroup) {
			value(orderer(root), "ConsensusType", &ob.ConsensusType{Type: "BFT"})
		}, signers: everyone},
		{name: "another hashing algorithm", change: func(root *cb.ConfigGroup) { value(root, "HashingAlgorithm", &cb.HashingAlgorithm{Name: "SHA3_256"}) }, signers: everyone},
		{name: "unknown hashing algorithm", change: func(root *cb.ConfigGroup) { value(root, "HashingAlgorithm", &cb.HashingAlgorithm{Name: "MD5"}) }, signers: everyone},
		{name: "narrow hashing structure", change: func(root *cb.ConfigGroup) {
			value(root, "BlockDataHashingStructure", &cb.BlockDataHashingStructure{Width: 2})
		}, signers: everyone},
		{name: "a policy is dropped", change: func(root *cb.ConfigGroup) { delete(application(root).Policies, "Endorsement") }, signers: everyone},
		{name: "a policy without content", change: func(root *cb.ConfigGroup) { application(root).Policies["Endorsement"].Policy = nil }, signers: everyone},
		{name: "a policy of unknown type", change: func(root *cb.ConfigGroup) { application(root).Policies["Endorsement"].Policy.Type = 2 }, signers: everyone},
		{name: "a policy that does not compile", change: func(root *cb.ConfigGroup) {
			application(root).Policies["Endorsement"].Policy = &cb.Policy{Type: 1, Value: must(proto.Marshal(&cb.SignaturePolicyEnvelope{}))}
		}, signers: everyone},
		{name: "a policy of version one", change: func(root *cb.ConfigGroup) {
			rejected := policydsl.AcceptAllPolicy
			rejected.Version = 1
			application(root).Policies["Endorsement"].Policy = &cb.Policy{Type: 1, Value: must(proto.Marshal(rejected))}
		}, signers: everyone},
		{name: "an implicit policy over nothing", change: func(root *cb.ConfigGroup) {
			application(root).Policies["Endorsement"] = &cb.ConfigPolicy{ModPolicy: "Admins", Policy: policies.ImplicitMetaAllPolicy("Nothing").Value(), Version: application(root).Policies["Endorsement"].Version}
		}, signers: everyone},
		{name: "administrators that nobody is", change: func(root *cb.ConfigGroup) {
			root.Policies["Admins"].Policy = &cb.Policy{Type: 1, Value: must(proto.Marshal(policydsl.RejectAllPolicy))}
		}, signers: everyone},
	}
	return list
}

func updateCases() any {
	if corpus == "" {
		return nil
	}
	policydsl.AcceptAllPolicy.Version = 0
	channel, config := genesis()
	bare := proto.Clone(config).(*cb.Config)
	clearModPolicies(bare.ChannelGroup)
	bare.ChannelGroup.ModPolicy = "Admins"
	bare.ChannelGroup.Groups["Orderer"].Values["BatchSize"].ModPolicy = "Admins"
	locked := proto.Clone(config).(*cb.Config)
	locked.ChannelGroup.Groups["Orderer"].Values["BatchSize"].ModPolicy = "/Channel/Nothing/Admins"
	locked.Sequence = 4
	bft, consenters := bftConfig(config)
	result := updates{}
	for _, base := range []struct {
		name   string
		config *cb.Config
	}{{"genesis", config}, {"unset mod policies", bare}, {"unknown mod policy", locked}, {"BFT", bft}} {
		index := len(result.Bases)
		bytes := must(proto.MarshalOptions{Deterministic: true}.Marshal(base.config))
		result.Bases = append(result.Bases, updateBase{base.name, channel, bytes})
		list := attempts(base.config)
		if index > 0 {
			list = list[:4]
		}
		for _, one := range list {
			envelope, err := one.run(channel, base.config)
			entry := updateCase{Name: one.name, Base: index, Envelope: envelope, Applies: err == nil}
			if err != nil {
				entry.Error = err.Error()
			}
			result.Cases = append(result.Cases, entry)
		}
	}
	hacked := attempts(bare)[0]
	hacked.envelope = func(e *cb.ConfigEnvelope) { setModPolicies(e.Config.ChannelGroup) }
	envelope, err := hacked.run(channel, bare)
	result.Cases = append(result.Cases, updateCase{Name: "unset mod policies are set", Base: 1, Envelope: envelope, Applies: err == nil, Error: fmt.Sprint(err)})
	result.Blocks = blockCases(channel, config, bft, consenters)
	return result
}

func clearModPolicies(group *cb.ConfigGroup) {
	group.ModPolicy = ""
	for _, value := range group.Values {
		value.ModPolicy = ""
	}
	for _, policy := range group.Policies {
		policy.ModPolicy = ""
	}
	for _, below := range group.Groups {
		clearModPolicies(below)
	}
}

func setModPolicies(group *cb.ConfigGroup) {
	if group.ModPolicy == "" {
		group.ModPolicy = "Admins"
	}
	for _, value := range group.Values {
		if value.ModPolicy == "" {
			value.ModPolicy = "Admins"
		}
	}
	for _, policy := range group.Policies {
		if policy.ModPolicy == "" {
			policy.ModPolicy = "Admins"
		}
	}
	for _, below := range group.Groups {
		setModPolicies(below)
	}
}

// bftConfig turns a raft channel into one of four BFT consenters, three of them of one organization.
func bftConfig(config *cb.Config) (*cb.Config, []signer) {
	result := proto.Clone(config).(*cb.Config)
	orderer := result.ChannelGroup.Groups["Orderer"]
	var consenters []signer
	mapping := &cb.Orderers{}
	root := ca("bft", nil, p256())
	editMSP(orderer.Groups[firstGroup(orderer)], func(c *mb.FabricMSPConfig) {
		c.Name = "BftMSP"
		c.RootCerts = [][]byte{root.pem}
		c.IntermediateCerts, c.Admins, c.TlsRootCerts, c.TlsIntermediateCerts, c.RevocationList = nil, nil, nil, nil, nil
		c.FabricNodeOus = nodeOUs()
	})
	for index := range 4 {
		one := leaf(root, p256(), fmt.Sprint("consenter", index), []string{"orderer"})
		mapping.ConsenterMapping = append(mapping.ConsenterMapping, &cb.Consenter{Id: uint32(index + 5), MspId: "BftMSP", Identity: one.pem, Host: "h", Port: 1})
		consenters = append(consenters, signer{serialized("BftMSP", one.pem), one.key.(*ecdsa.PrivateKey)})
	}
	value(orderer, "Orderers", mapping)
	value(orderer, "ConsensusType", &ob.ConsensusType{Type: "BFT"})
	policies.EncodeBFTBlockVerificationPolicy(mapping.ConsenterMapping, orderer)
	return result, consenters
}

func blockCases(channel string, raft, bft *cb.Config, consenters []signer) []blockCase {
	var cases []blockCase
	header := &cb.BlockHeader{Number: 300, PreviousHash: make([]byte, 32), DataHash: []byte("data hash")}
	value := must(proto.Marshal(&cb.OrdererBlockMetadata{LastConfig: &cb.LastConfig{Index: 3}}))
	add := func(name string, base int, config *cb.Config, signatures ...*cb.MetadataSignature) {
		entry := blockCase{Name: name, Base: base, Number: header.Number, Previous: header.PreviousHash, Data: header.DataHash}
		entry.Metadata = must(proto.Marshal(&cb.Metadata{Value: value, Signatures: signatures}))
		bundle := must(channelconfig.NewBundle(channel, config, provider))
		policy, _ := bundle.PolicyManager().GetPolicy(policies.BlockValidation)
		var mapping []*cb.Consenter
		if orderer, ok := bundle.OrdererConfig(); ok {
			mapping = orderer.Consenters()
		}
		verify := protoutil.BlockSignatureVerifier(bundle.ChannelConfig().Capabilities().ConsensusTypeBFT(), mapping, policy)
		metadata := &cb.BlockMetadata{Metadata: [][]byte{entry.Metadata, nil, nil, nil, nil}}
		if err := verify(header, metadata); err != nil {
			entry.Error = err.Error()
		} else {
			entry.Holds = true
		}
		cases = append(cases, entry)
	}
	byNumber := func(index int, number uint32) *cb.MetadataSignature {
		identifier := must(proto.Marshal(&cb.IdentifierHeader{Identifier: number, Nonce: make([]byte, 24)}))
		return &cb.MetadataSignature{IdentifierHeader: identifier, Signature: consenters[index].sign(value, identifier, protoutil.BlockHeaderBytes(header))}
	}
	good := func(index int) *cb.MetadataSignature { return byNumber(index, uint32(index+5)) }
	byName := func(one signer) *cb.MetadataSignature {
		return &cb.MetadataSignature{SignatureHeader: one.header(), Signature: one.sign(value, one.header(), protoutil.BlockHeaderBytes(header))}
	}
	edit := func(signature *cb.MetadataSignature, change func(*cb.MetadataSignature)) *cb.MetadataSignature {
		change(signature)
		return signature
	}
	flip := func(s *cb.MetadataSignature) { s.Signature[12] ^= 4 }
	add("all four", 3, bft, good(0), good(1), good(2), good(3))
	add("three", 3, bft, good(3), good(1), good(0))
	add("two", 3, bft, good(0), good(1))
	add("none", 3, bft)
	add("one three times", 3, bft, good(0), good(0), good(0))
	add("three and garbage", 3, bft, good(0), edit(good(3), flip), good(1), good(2))
	add("two and garbage", 3, bft, good(0), edit(good(3), flip), good(1))
	add("garbage, then the same signer's good one", 3, bft, edit(good(0), flip), good(0), good(1), good(2))
	add("unknown number beside three", 3, bft, byNumber(3, 99), good(0), good(1), good(2))
	add("unknown number beside two", 3, bft, byNumber(3, 99), good(0), good(1))
	add("another's number", 3, bft, byNumber(3, 5), good(1), good(2))
	add("by name", 3, bft, byName(consenters[0]), byName(consenters[1]), byName(consenters[2]))
	add("by name and number", 3, bft, byName(consenters[0]), good(0), good(1))
	add("name wins over number", 3, bft, good(0), good(1), edit(good(2), func(s *cb.MetadataSignature) { s.SignatureHeader = consenters[2].header() }))
	add("garbage identifier header", 3, bft, good(0), good(1), good(2), &cb.MetadataSignature{IdentifierHeader: []byte{0xff}})
	add("garbage signature header", 3, bft, good(0), good(1), good(2), &cb.MetadataSignature{SignatureHeader: []byte{0xff}})
	add("empty entry", 3, bft, good(0), good(1), good(2), &cb.MetadataSignature{})
	add("numbers in a raft channel's policy", 0, raft, good(0), good(1), good(2))
	ordererAdmin := loadSigner("OrdererMSP", "ordererOrganizations/orderer.example.com/users/Admin@orderer.example.com")
	add("raft: a member of the orderer's organization", 0, raft, byName(ordererAdmin))
	add("raft: an application's administrator", 0, raft, byName(peerUser(1, "Admin")))
	add("raft: two, one of them bad", 0, raft, edit(byName(ordererAdmin), flip), byName(ordererAdmin))
	add("raft: bad", 0, raft, edit(byName(ordererAdmin), flip))
	add("raft: garbage beside good", 0, raft, byName(ordererAdmin), &cb.MetadataSignature{SignatureHeader: []byte{0xff}})
	return cases
}

var _ crypto.Signer = (*ecdsa.PrivateKey)(nil)
