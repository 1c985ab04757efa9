// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	mathrand "math/rand"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/hyperledger/fabric-lib-go/bccsp/utils"
	cb "github.com/hyperledger/fabric-protos-go-apiv2/common"
	mb "github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric/common/cauthdsl"
	"github.com/hyperledger/fabric/common/policies"
	"github.com/hyperledger/fabric/msp"
	"google.golang.org/protobuf/proto"
)

type principalCase struct {
	Name           string `json:"name"`
	Classification int32  `json:"classification"`
	Bytes          []byte `json:"bytes"`
}

type identityCase struct {
	Name       string `json:"name"`
	Serialized []byte `json:"serialized"`
	WellFormed bool   `json:"well_formed"`
	Readable   bool   `json:"readable"`
	Valid      bool   `json:"valid"`
	Error      string `json:"error,omitempty"`
	Identifier string `json:"identifier,omitempty"`
	Satisfies  []bool `json:"satisfies,omitempty"`
	Message    []byte `json:"message,omitempty"`
	// Signatures over the message, with Fabric's verdict on each.
	Signatures []signatureCase `json:"signatures,omitempty"`
}

type signatureCase struct {
	Name  string `json:"name"`
	Bytes []byte `json:"bytes"`
	Holds bool   `json:"holds"`
}

type policyCase struct {
	Envelope   []byte `json:"envelope"`
	Identities []int  `json:"identities"`
	Holds      bool   `json:"holds"`
}

type mspCase struct {
	Name       string          `json:"name"`
	Version    int             `json:"version"`
	Config     []byte          `json:"config"`
	Sets       bool            `json:"sets_up"`
	Error      string          `json:"error,omitempty"`
	Principals []principalCase `json:"principals,omitempty"`
	Identities []identityCase  `json:"identities,omitempty"`
	Policies   []policyCase    `json:"policies,omitempty"`
}

const mspid = "OrgMSP"

// candidate is an identity to be asked about; raw ones bring their own bytes.
type candidate struct {
	name string
	who  *member
	raw  []byte
}

func serialized(id string, bytes []byte) []byte {
	return must(proto.Marshal(&mb.SerializedIdentity{Mspid: id, IdBytes: bytes}))
}

func nodeOUs() *mb.FabricNodeOUs {
	ou := func(name string) *mb.FabricOUIdentifier {
		return &mb.FabricOUIdentifier{OrganizationalUnitIdentifier: name}
	}
	return &mb.FabricNodeOUs{
		Enable: true, ClientOuIdentifier: ou("client"), PeerOuIdentifier: ou("peer"),
		AdminOuIdentifier: ou("admin"), OrdererOuIdentifier: ou("orderer"),
	}
}

func config(edits func(*mb.FabricMSPConfig), roots ...*member) *mb.FabricMSPConfig {
	c := &mb.FabricMSPConfig{Name: mspid}
	for _, root := range roots {
		c.RootCerts = append(c.RootCerts, root.pem)
	}
	if edits != nil {
		edits(c)
	}
	return c
}

// usual are identities of the usual kinds.
func usual(issuer *member) []candidate {
	one := func(name string, ous ...string) candidate {
		return candidate{name: name, who: leaf(issuer, p256(), name, ous)}
	}
	client := one("client", "client")
	dated := func(name string, from, to time.Time) candidate {
		return candidate{name: name, who: leaf(issuer, p256(), name, []string{"client"}, func(t *x509.Certificate) {
			t.NotBefore, t.NotAfter = from, to
		})}
	}
	return []candidate{
		client, one("peer", "peer"), one("admin", "admin"), one("orderer", "orderer"), one("no ou"),
		one("other ou", "department"), one("two roles", "client", "peer"), one("same role twice", "peer", "peer"),
		one("role and department", "department", "client"),
		dated("expired", epoch, epoch.Add(time.Hour)),
		dated("not yet valid", epoch.AddDate(8, 0, 0), epoch.AddDate(9, 0, 0)),
		dated("older than its CA", epoch.AddDate(-5, 0, 0), epoch.AddDate(5, 0, 0)),
		dated("starts as its CA ends", issuer.cert.NotAfter, issuer.cert.NotAfter.AddDate(1, 0, 0)),
		dated("starts a second before its CA", issuer.cert.NotBefore.Add(-time.Second), epoch),
		dated("starts two seconds before its CA", issuer.cert.NotBefore.Add(-2*time.Second), epoch),
		dated("ends as it starts", epoch, epoch),
		dated("ends a second after it starts", epoch, epoch.Add(time.Second)),
		{name: "the CA itself", who: issuer},
		{name: "another MSP's name", raw: serialized("OtherMSP", client.who.pem)},
		{name: "garbage", raw: []byte{0xff, 1, 2}},
		{name: "empty", raw: nil},
		{name: "no certificate", raw: serialized(mspid, []byte("nothing"))},
		{name: "CRLF", raw: serialized(mspid, []byte(strings.ReplaceAll(string(client.who.pem), "\n", "\r\n")))},
		{name: "another PEM type", raw: serialized(mspid, []byte(strings.ReplaceAll(string(client.who.pem), "CERTIFICATE", "THING")))},
		{name: "text around", raw: serialized(mspid, []byte("before\n"+string(client.who.pem)+"after"))},
		{name: "two certificates", raw: serialized(mspid, append(append([]byte{}, client.who.pem...), issuer.pem...))},
		{name: "bytes after the certificate", raw: serialized(mspid, toPEM(append(append([]byte{}, client.who.cert.Raw...), 0)))},
		{name: "high-S certificate", who: parsed(withS(client.who.cert.Raw, issuer.key.Public(), true), client.who.key)},
	}
}

func keyed(issuer *member) []candidate {
	var list []candidate
	for name, key := range map[string]func() crypto.Signer{"P-224": p224, "P-384": p384, "P-521": p521, "RSA": rsa2048, "Ed25519": ed} {
		list = append(list, candidate{name: name, who: leaf(issuer, key(), name, []string{"client"})})
	}
	return list
}

func extended(issuer *member) []candidate {
	one := func(name string, edits ...edit) candidate {
		return candidate{name: name, who: leaf(issuer, p256(), name, []string{"client"}, edits...)}
	}
	unknown := func(critical bool) edit {
		return func(t *x509.Certificate) {
			t.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: critical, Value: []byte{5, 0}}}
		}
	}
	return []candidate{
		one("client auth only", func(t *x509.Certificate) { t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }),
		one("server auth", func(t *x509.Certificate) {
			t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
		}),
		one("any use", func(t *x509.Certificate) { t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }),
		one("unknown use", func(t *x509.Certificate) { t.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{1, 2, 3}} }),
		one("unknown extension", unknown(false)), one("unknown critical extension", unknown(true)),
		one("DNS names", func(t *x509.Certificate) { t.DNSNames = []string{"good.example.com"} }),
		one("bad DNS name", func(t *x509.Certificate) { t.DNSNames = []string{"evil.com"} }),
		one("secret DNS name", func(t *x509.Certificate) { t.DNSNames = []string{"a.secret.example.com"} }),
		one("wildcard", func(t *x509.Certificate) { t.DNSNames = []string{"*.example.com"} }),
		one("IP", func(t *x509.Certificate) { t.IPAddresses = []net.IP{net.IPv4(10, 1, 2, 3).To4()} }),
		one("bad IP", func(t *x509.Certificate) { t.IPAddresses = []net.IP{net.IPv4(11, 1, 2, 3).To4()} }),
		one("mail", func(t *x509.Certificate) { t.EmailAddresses = []string{"a@example.com"} }),
		one("bad mail", func(t *x509.Certificate) { t.EmailAddresses = []string{"a@evil.com"} }),
		one("URI", func(t *x509.Certificate) { t.URIs = []*url.URL{must(url.Parse("https://x.example.com:443/a"))} }),
		one("bad URI", func(t *x509.Certificate) { t.URIs = []*url.URL{must(url.Parse("spiffe://evil.com/a"))} }),
		one("host.example.com"), one("policies", func(t *x509.Certificate) { t.Policies = []x509.OID{must(x509.OIDFromInts([]uint64{1, 2, 3}))} }),
		one("other policies", func(t *x509.Certificate) { t.Policies = []x509.OID{must(x509.OIDFromInts([]uint64{1, 2, 4}))} }),
		one("critical SAN without names Go knows", func(t *x509.Certificate) {
			t.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Critical: true, Value: []byte{0x30, 4, 0x88, 2, 0x2a, 3}}}
		}),
		{name: "a CA below", who: ca("below", issuer, p256())},
	}
}

func principals(members []candidate, certifiers []byte) []principalCase {
	var list []principalCase
	add := func(name string, class int32, message proto.Message) {
		list = append(list, principalCase{name, class, must(proto.Marshal(message))})
	}
	for role := int32(0); role < 6; role++ {
		add(fmt.Sprintf("role %d", role), 0, &mb.MSPRole{MspIdentifier: mspid, Role: mb.MSPRole_MSPRoleType(role)})
	}
	add("member elsewhere", 0, &mb.MSPRole{MspIdentifier: "OtherMSP"})
	add("unit", 1, &mb.OrganizationUnit{MspIdentifier: mspid, OrganizationalUnitIdentifier: "client", CertifiersIdentifier: certifiers})
	add("unit of other certifiers", 1, &mb.OrganizationUnit{MspIdentifier: mspid, OrganizationalUnitIdentifier: "client", CertifiersIdentifier: []byte{1}})
	add("department", 1, &mb.OrganizationUnit{MspIdentifier: mspid, OrganizationalUnitIdentifier: "department", CertifiersIdentifier: certifiers})
	for _, one := range members[:2] {
		list = append(list, principalCase{"identity " + one.name, 2, serialized(mspid, one.who.pem)})
	}
	add("nominal", 3, &mb.MSPIdentityAnonymity{AnonymityType: mb.MSPIdentityAnonymity_NOMINAL})
	add("anonymous", 3, &mb.MSPIdentityAnonymity{AnonymityType: mb.MSPIdentityAnonymity_ANONYMOUS})
	part := func(index int) *mb.MSPPrincipal {
		return &mb.MSPPrincipal{PrincipalClassification: mb.MSPPrincipal_Classification(list[index].Classification), Principal: list[index].Bytes}
	}
	add("member and unit", 4, &mb.CombinedPrincipal{Principals: []*mb.MSPPrincipal{part(0), part(7)}})
	add("nested", 4, &mb.CombinedPrincipal{Principals: []*mb.MSPPrincipal{
		{PrincipalClassification: 4, Principal: list[len(list)-1].Bytes}, part(2),
	}})
	add("combined of nothing", 4, &mb.CombinedPrincipal{})
	return append(list, principalCase{"unknown", 9, nil}, principalCase{"garbage", 0, []byte{0xff}}, principalCase{"garbage unit", 1, []byte{0x0a, 9}},
		principalCase{"empty role", 0, nil}, principalCase{"garbage combined", 4, []byte{0xff}})
}

func signatures(who *member, message []byte, family string) []signatureCase {
	digest := sha256.Sum256(message)
	if family == "SHA3" {
		digest = sha3.Sum256(message)
	}
	one := func(name string, bytes []byte) signatureCase { return signatureCase{Name: name, Bytes: bytes} }
	switch key := who.key.(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
		check(err)
		s = must(utils.ToLowS(&key.PublicKey, s))
		good := must(utils.MarshalECDSASignature(r, s))
		high := must(utils.MarshalECDSASignature(r, new(big.Int).Sub(key.Params().N, s)))
		inside := append([]byte{}, good...)
		inside = append(inside, 7)
		if inside[1] < 0x80 {
			inside[1]++
		} else {
			inside[2]++
		}
		zero := must(asn1.Marshal(utils.ECDSASignature{R: r, S: new(big.Int)}))
		wide := must(asn1.Marshal(utils.ECDSASignature{R: new(big.Int).Add(r, key.Params().N), S: s}))
		return []signatureCase{one("good", good), one("high S", high), one("byte after", append(append([]byte{}, good...), 0)),
			one("byte inside", inside), one("empty", nil), one("zero S", zero), one("r above the order", wide)}
	case ed25519.PrivateKey:
		good := ed25519.Sign(key, message)
		return []signatureCase{one("good", good), one("short", good[:63])}
	case *rsa.PrivateKey:
		return []signatureCase{one("PKCS 1", must(rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])))}
	}
	return nil
}

func newMSP(version int, c *mb.FabricMSPConfig) (msp.MSP, error) {
	instance := must(msp.New(&msp.BCCSPNewOpts{NewBaseOpts: msp.NewBaseOpts{Version: msp.MSPVersion(version)}}, provider))
	return instance, instance.Setup(&mb.MSPConfig{Config: must(proto.Marshal(c))})
}

func certifiersOf(c *mb.FabricMSPConfig, issuer *member, root *member) []byte {
	hash := sha256.New()
	hash.Write(issuer.cert.Raw)
	if root != nil {
		hash.Write(root.cert.Raw)
	}
	return hash.Sum(nil)
}

func run(name string, version int, c *mb.FabricMSPConfig, candidates []candidate, certifiers []byte) mspCase {
	result := mspCase{Name: name, Version: version, Config: must(proto.Marshal(c))}
	instance, err := newMSP(version, c)
	if err != nil {
		result.Error = err.Error()
		return result
	}
	result.Sets = true
	if len(candidates) == 0 {
		return result
	}
	result.Principals = principals(candidates, certifiers)
	identities := map[int]msp.Identity{}
	for index, one := range candidates {
		bytes := one.raw
		if one.who != nil {
			bytes = serialized(mspid, one.who.pem)
		}
		entry := identityCase{Name: one.name, Serialized: bytes}
		outer := &mb.SerializedIdentity{}
		entry.WellFormed = proto.Unmarshal(bytes, outer) == nil && instance.IsWellFormed(outer) == nil
		identity, err := instance.DeserializeIdentity(bytes)
		if err != nil {
			entry.Error = err.Error()
			result.Identities = append(result.Identities, entry)
			continue
		}
		identities[index] = identity
		entry.Readable, entry.Identifier = true, identity.GetIdentifier().Id
		if err := identity.Validate(); err != nil {
			entry.Error = err.Error()
		} else {
			entry.Valid = true
		}
		for _, p := range result.Principals {
			err := identity.SatisfiesPrincipal(&mb.MSPPrincipal{PrincipalClassification: mb.MSPPrincipal_Classification(p.Classification), Principal: p.Bytes})
			entry.Satisfies = append(entry.Satisfies, err == nil)
		}
		if one.who != nil && index%3 == 0 || strings.HasPrefix(name, "keys") && one.who != nil {
			entry.Message = []byte("message of " + one.name)
			family := ""
			if c.CryptoConfig != nil {
				family = c.CryptoConfig.SignatureHashFamily
			}
			for _, s := range signatures(one.who, entry.Message, family) {
				s.Holds = identity.Verify(entry.Message, s.Bytes) == nil
				entry.Signatures = append(entry.Signatures, s)
			}
		}
		result.Identities = append(result.Identities, entry)
	}
	if strings.HasSuffix(name, "node OUs") {
		result.Policies = policyCases(result.Principals, identities, len(candidates))
	}
	return result
}

// identityList hands out identities as they are, without signatures.
func policyCases(available []principalCase, identities map[int]msp.Identity, count int) []policyCase {
	random := mathrand.New(mathrand.NewSource(7))
	var cases []policyCase
	for len(cases) < 150 {
		envelope := &cb.SignaturePolicyEnvelope{}
		for range 1 + random.Intn(4) {
			p := available[random.Intn(len(available))]
			if random.Intn(2) == 0 {
				p = available[random.Intn(5)]
			}
			envelope.Identities = append(envelope.Identities, &mb.MSPPrincipal{
				PrincipalClassification: mb.MSPPrincipal_Classification(p.Classification), Principal: p.Bytes,
			})
		}
		envelope.Rule = rule(random, len(envelope.Identities), 3)
		var indexes []int
		for _, index := range random.Perm(count)[:random.Intn(6)] {
			if identities[index] != nil {
				indexes = append(indexes, index)
			}
		}
		signers := []msp.Identity{}
		for _, index := range indexes {
			signers = append(signers, identities[index])
		}
		bytes := must(proto.Marshal(envelope))
		policy, _, err := cauthdsl.NewPolicyProvider(nil).NewPolicy(bytes)
		holds := err == nil && policy.(policies.Policy).EvaluateIdentities(signers) == nil
		cases = append(cases, policyCase{bytes, indexes, holds})
	}
	return cases
}

func rule(random *mathrand.Rand, principals, depth int) *cb.SignaturePolicy {
	if depth == 0 || random.Intn(3) == 0 {
		index := int32(random.Intn(principals))
		if random.Intn(40) == 0 {
			index = int32(principals)
		}
		return &cb.SignaturePolicy{Type: &cb.SignaturePolicy_SignedBy{SignedBy: index}}
	}
	count := random.Intn(4)
	gate := &cb.SignaturePolicy_NOutOf{N: int32(random.Intn(count + 1))}
	for range count {
		gate.Rules = append(gate.Rules, rule(random, principals, depth-1))
	}
	return &cb.SignaturePolicy{Type: &cb.SignaturePolicy_NOutOf_{NOutOf: gate}}
}

func mspCases() []mspCase {
	var cases []mspCase
	root := ca("root", nil, p256())
	members := usual(root)
	admin := members[0].who
	all := append(append(append([]candidate{}, members...), keyed(root)...), extended(root)...)
	for version := msp.MSPv1_0; version <= msp.MSPv3_0; version++ {
		withAdmin := func(more func(*mb.FabricMSPConfig)) func(*mb.FabricMSPConfig) {
			return func(c *mb.FabricMSPConfig) {
				c.Admins = [][]byte{admin.pem}
				if more != nil {
					more(c)
				}
			}
		}
		add := func(name string, c *mb.FabricMSPConfig, candidates []candidate, certifiers []byte) {
			cases = append(cases, run(name, version, c, candidates, certifiers))
		}
		own := certifiersOf(nil, root, nil)
		add("plain", config(withAdmin(nil), root), all, own)
		add("keys with node OUs", config(withAdmin(func(c *mb.FabricMSPConfig) { c.FabricNodeOus = nodeOUs() }), root), all, own)
		add("node OUs disabled", config(withAdmin(func(c *mb.FabricMSPConfig) { c.FabricNodeOus = nodeOUs(); c.FabricNodeOus.Enable = false }), root), members, own)
		add("no administrators", config(nil, root), members[:4], own)
		add("no administrators but node OUs", config(func(c *mb.FabricMSPConfig) { c.FabricNodeOus = nodeOUs() }, root), members, own)
		for _, other := range []string{"peer", "two roles", "older than its CA", "expired", "admin", "no ou"} {
			for _, one := range members {
				if one.name == other {
					for _, ous := range []*mb.FabricNodeOUs{nil, nodeOUs()} {
						add(fmt.Sprintf("administrator is %s, OUs %t", other, ous != nil),
							config(func(c *mb.FabricMSPConfig) { c.Admins = [][]byte{one.who.pem}; c.FabricNodeOus = ous }, root), members[:4], own)
					}
				}
			}
		}
	}
	cases = append(cases, setupCases(root, members)...)
	return cases
}

func setupCases(root *member, members []candidate) []mspCase {
	var cases []mspCase
	version := msp.MSPv3_0
	ous := func(c *mb.FabricMSPConfig) { c.FabricNodeOus = nodeOUs() }
	both := func(edits ...func(*mb.FabricMSPConfig)) func(*mb.FabricMSPConfig) {
		return func(c *mb.FabricMSPConfig) {
			for _, edit := range append(edits, ous) {
				edit(c)
			}
		}
	}
	add := func(name string, c *mb.FabricMSPConfig, candidates []candidate, certifiers []byte) {
		cases = append(cases, run(name, version, c, candidates, certifiers))
	}
	few := func(issuer *member) []candidate { return usual(issuer)[:12] }

	// Intermediates.
	middle := ca("middle", root, p256())
	lower := ca("lower", middle, p256())
	intermediates := func(cas ...*member) func(*mb.FabricMSPConfig) {
		return func(c *mb.FabricMSPConfig) {
			for _, one := range cas {
				c.IntermediateCerts = append(c.IntermediateCerts, one.pem)
			}
		}
	}
	mixed := append(append(few(middle), few(lower)...), few(root)...)
	add("one intermediate", config(both(intermediates(middle)), root), mixed, certifiersOf(nil, middle, root))
	add("two intermediates", config(both(intermediates(middle, lower)), root), mixed, nil)
	add("lower intermediate without the middle", config(both(intermediates(lower)), root), nil, nil)
	add("intermediate as root", config(both(), middle), nil, nil)
	add("root twice", config(both(), root, root), members[:6], nil)
	add("root also as intermediate", config(both(intermediates(root)), root), members[:6], nil)
	short := ca("short", nil, p256(), func(t *x509.Certificate) { t.MaxPathLenZero = true })
	tooLong := ca("m", short, p256())
	add("path too long", config(both(intermediates(tooLong)), short), few(tooLong), nil)
	shortMiddle := ca("short middle", root, p256(), func(t *x509.Certificate) { t.MaxPathLenZero = true })
	add("path long enough", config(both(intermediates(shortMiddle)), root), few(shortMiddle), nil)
	twin := ca("root", nil, root.key, func(t *x509.Certificate) { t.NotAfter = t.NotAfter.AddDate(1, 0, 0) })
	add("two roots of one key", config(both(), root, twin), members[:6], nil)
	crossed := ca("middle", twin, middle.key)
	add("cross-signed intermediate", config(both(intermediates(middle, crossed)), root, ca("other", nil, p256())), few(middle), nil)

	// Certificates that must not be CAs.
	add("root is no CA", config(both(), ca("x", nil, p256(), func(t *x509.Certificate) { t.IsCA = false })), nil, nil)
	add("root without key identifier", config(both(), ca("x", nil, p256(), func(t *x509.Certificate) {
		t.IsCA = true
		t.SubjectKeyId = nil
		t.IsCA = false
		t.BasicConstraintsValid = false
		t.KeyUsage = 0
	})), nil, nil)
	add("root may not sign", config(both(), ca("x", nil, p256(), func(t *x509.Certificate) { t.KeyUsage = x509.KeyUsageDigitalSignature })), nil, nil)
	anyUse := ca("x", nil, p256(), func(t *x509.Certificate) { t.KeyUsage = 0 })
	add("root without key usage", config(both(), anyUse), few(anyUse), nil)
	mail := ca("x", nil, p256(), func(t *x509.Certificate) { t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection} })
	add("root for mail only", config(both(), mail), few(mail), nil)
	server := ca("x", nil, p256(), func(t *x509.Certificate) {
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	})
	add("root for servers and clients", config(both(), server), few(server), nil)
	add("no roots", config(both()), nil, nil)
	add("root is garbage", config(func(c *mb.FabricMSPConfig) { c.RootCerts = [][]byte{[]byte("x")} }), nil, nil)

	// Keys of CAs.
	for name, key := range map[string]func() crypto.Signer{"P-224": p224, "P-384": p384, "P-521": p521, "RSA": rsa2048, "Ed25519": ed} {
		special := ca("root "+name, nil, key())
		add("root with "+name+" key", config(both(), special), few(special), certifiersOf(nil, special, nil))
	}
	for _, algorithm := range []x509.SignatureAlgorithm{x509.ECDSAWithSHA384, x509.ECDSAWithSHA512} {
		with := func(t *x509.Certificate) { t.SignatureAlgorithm = algorithm }
		for name, key := range map[string]func() crypto.Signer{"P-224": p224, "P-256": p256, "P-384": p384, "P-521": p521} {
			special := ca("root", nil, key(), with)
			add(fmt.Sprintf("root %s %s", name, algorithm), config(both(), special), []candidate{
				{name: "client", who: leaf(special, p256(), "c", []string{"client"}, with)}, {name: "peer", who: leaf(special, p256(), "p", []string{"peer"}, with)},
			}, nil)
		}
	}
	for _, algorithm := range []x509.SignatureAlgorithm{x509.SHA384WithRSA, x509.SHA512WithRSA, x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS} {
		with := func(t *x509.Certificate) { t.SignatureAlgorithm = algorithm }
		special := ca("root", nil, rsa2048(), with)
		add("root "+algorithm.String(), config(both(), special), []candidate{
			{name: "client", who: leaf(special, p256(), "c", []string{"client"}, with)}, {name: "peer", who: leaf(special, p256(), "p", []string{"peer"}, with)},
		}, nil)
	}
	high := parsed(withS(root.cert.Raw, root.key.Public(), true), root.key)
	add("high-S root", config(both(), high), members, certifiersOf(nil, root, nil))
	add("high-S intermediate", config(both(intermediates(parsed(withS(middle.cert.Raw, root.key.Public(), true), middle.key))), root), few(middle), certifiersOf(nil, middle, root))

	// Name constraints and policies.
	constrained := ca("constrained", nil, p256(), func(t *x509.Certificate) {
		t.PermittedDNSDomainsCritical = true
		t.PermittedDNSDomains = []string{"example.com"}
		t.ExcludedDNSDomains = []string{"secret.example.com"}
		t.PermittedIPRanges = []*net.IPNet{{IP: net.IPv4(10, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)}}
		t.PermittedEmailAddresses = []string{"example.com"}
		t.PermittedURIDomains = []string{".example.com"}
	})
	add("name constraints", config(both(), constrained), append(extended(constrained), few(constrained)...), nil)
	demanding := ca("demanding", root, p256(), func(t *x509.Certificate) {
		t.Policies = []x509.OID{must(x509.OIDFromInts([]uint64{1, 2, 3}))}
		t.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 36}, Critical: true, Value: []byte{0x30, 3, 0x80, 1, 0}}}
	})
	add("explicit policy", config(both(intermediates(demanding)), root), append(extended(demanding), few(demanding)...), nil)
	mapping := ca("mapping", root, p256(), func(t *x509.Certificate) {
		t.Policies = []x509.OID{must(x509.OIDFromInts([]uint64{1, 2, 3}))}
		t.ExtraExtensions = []pkix.Extension{
			{Id: asn1.ObjectIdentifier{2, 5, 29, 36}, Critical: true, Value: []byte{0x30, 3, 0x80, 1, 0}},
			{Id: asn1.ObjectIdentifier{2, 5, 29, 33}, Value: []byte{0x30, 10, 0x30, 8, 6, 2, 0x2a, 3, 6, 2, 0x2a, 4}},
		}
	})
	add("mapped policy", config(both(intermediates(mapping)), root), append(extended(mapping), few(mapping)...), nil)
	cases = append(cases, revocationCases(root, members, both, intermediates)...)
	cases = append(cases, unitCases(root, members, both, intermediates)...)
	return cases
}

type configEdit = func(*mb.FabricMSPConfig)

func revocationCases(root *member, members []candidate, both func(...configEdit) configEdit, intermediates func(...*member) configEdit) []mspCase {
	var cases []mspCase
	add := func(name string, c *mb.FabricMSPConfig, candidates []candidate) {
		cases = append(cases, run(name, msp.MSPv3_0, c, candidates, certifiersOf(nil, root, nil)))
	}
	lists := func(bytes ...[]byte) configEdit { return func(c *mb.FabricMSPConfig) { c.RevocationList = bytes } }
	client := members[0].who
	foreign := ca("root", nil, p256(), func(t *x509.Certificate) { t.SubjectKeyId = root.cert.SubjectKeyId })
	add("revoked client", config(both(lists(crl(root, nil, client))), root), members)
	add("revoked by a foreign key", config(both(lists(crl(foreign, nil, client))), root), members[:4])
	add("foreign list and own", config(both(lists(crl(foreign, nil, client), crl(root, nil, client))), root), members[:4])
	add("list of another CA", config(both(lists(crl(ca("elsewhere", nil, p256()), nil, client))), root), members[:4])
	der := must(x509.ParseRevocationList(must(decodePEM(crl(root, nil, client)))))
	add("DER list", config(both(lists(der.Raw)), root), members[:4])
	add("list is garbage", config(both(lists([]byte("x"))), root), nil)
	add("empty list", config(both(lists(crl(root, nil))), root), members[:4])
	middle := ca("middle", root, p256())
	add("revoked intermediate", config(both(intermediates(middle), lists(crl(root, nil, middle))), root), nil)
	add("revoked administrator", config(both(lists(crl(root, nil, client)), func(c *mb.FabricMSPConfig) { c.Admins = [][]byte{client.pem} }), root), members[:4])
	add("revoked administrator without OUs", config(func(c *mb.FabricMSPConfig) {
		c.Admins, c.RevocationList = [][]byte{client.pem}, [][]byte{crl(root, nil, client)}
	}, root), nil)
	bare := ca("bare", nil, p256())
	bare.cert.SubjectKeyId = []byte{}
	add("list without key identifier", config(both(lists(withoutAKI(crl(root, nil, members[5].who)))), root), members[:4])
	rsaRoot := ca("rsa", nil, rsa2048())
	revoked := leaf(rsaRoot, p256(), "c", []string{"client"})
	add("RSA list", config(both(lists(crl(rsaRoot, nil, revoked))), rsaRoot), []candidate{{name: "revoked", who: revoked}, {name: "not", who: leaf(rsaRoot, p256(), "d", []string{"client"})}})
	return cases
}

func unitCases(root *member, members []candidate, both func(...configEdit) configEdit, intermediates func(...*member) configEdit) []mspCase {
	var cases []mspCase
	middle := ca("middle", root, p256())
	other := ca("other", root, p256())
	mixed := append(append([]candidate{}, usual(middle)[:9]...), usual(other)[:9]...)
	unit := func(name string, certifier *member) *mb.FabricOUIdentifier {
		return &mb.FabricOUIdentifier{OrganizationalUnitIdentifier: name, Certificate: certifier.pem}
	}
	cas := intermediates(middle, other)
	for _, version := range []int{msp.MSPv1_0, msp.MSPv1_1, msp.MSPv1_4_3} {
		admins := func(c *mb.FabricMSPConfig) { c.Admins = [][]byte{mixed[0].who.pem} }
		add := func(name string, c *mb.FabricMSPConfig, candidates []candidate) {
			cases = append(cases, run(name, version, c, candidates, certifiersOf(nil, middle, root)))
		}
		for _, certifier := range []*member{middle, other, root} {
			add("known units of "+certifier.cert.Subject.CommonName, config(func(c *mb.FabricMSPConfig) {
				cas(c)
				admins(c)
				c.OrganizationalUnitIdentifiers = []*mb.FabricOUIdentifier{unit("client", certifier), unit("department", certifier)}
			}, root), mixed)
			add("certified node OUs of "+certifier.cert.Subject.CommonName, config(func(c *mb.FabricMSPConfig) {
				cas(c)
				admins(c)
				c.FabricNodeOus = nodeOUs()
				c.FabricNodeOus.ClientOuIdentifier.Certificate = certifier.pem
			}, root), mixed)
		}
		add("foreign certifier", config(func(c *mb.FabricMSPConfig) {
			cas(c)
			admins(c)
			c.OrganizationalUnitIdentifiers = []*mb.FabricOUIdentifier{unit("client", ca("foreign", nil, p256()))}
		}, root), nil)
		add("node OUs without client", config(func(c *mb.FabricMSPConfig) {
			cas(c)
			admins(c)
			c.FabricNodeOus = nodeOUs()
			c.FabricNodeOus.ClientOuIdentifier = nil
		}, root), mixed)
		add("node OUs without any", config(func(c *mb.FabricMSPConfig) {
			cas(c)
			admins(c)
			c.FabricNodeOus = &mb.FabricNodeOUs{Enable: true}
		}, root), mixed)
		add("two roles of one name", config(func(c *mb.FabricMSPConfig) {
			cas(c)
			admins(c)
			c.FabricNodeOus = nodeOUs()
			c.FabricNodeOus.PeerOuIdentifier.OrganizationalUnitIdentifier = "client"
			c.FabricNodeOus.PeerOuIdentifier.Certificate = other.pem
		}, root), mixed)
		for _, crypto := range []*mb.FabricCryptoConfig{
			{SignatureHashFamily: "SHA3", IdentityIdentifierHashFunction: "SHA3_384"},
			{SignatureHashFamily: "SHA2", IdentityIdentifierHashFunction: "SHA384"},
			{SignatureHashFamily: "SHA5"}, {IdentityIdentifierHashFunction: "MD5"}, {IdentityIdentifierHashFunction: "SHA3_256"},
		} {
			add("keys hashed with "+crypto.String(), config(func(c *mb.FabricMSPConfig) {
				c.Admins = [][]byte{members[0].who.pem}
				c.CryptoConfig = crypto
			}, root), append(append([]candidate{}, members[:5]...), keyed(root)...))
		}
		tls := func(certs ...*member) configEdit {
			return func(c *mb.FabricMSPConfig) {
				for _, one := range certs {
					c.TlsRootCerts = append(c.TlsRootCerts, one.pem)
				}
			}
		}
		tlsRoot := ca("tls", nil, p256())
		add("TLS root", config(func(c *mb.FabricMSPConfig) { cas(c); admins(c); tls(tlsRoot)(c) }, root), nil)
		add("TLS root is no CA", config(func(c *mb.FabricMSPConfig) { cas(c); admins(c); tls(leaf(tlsRoot, p256(), "x", nil))(c) }, root), nil)
		add("TLS intermediate", config(func(c *mb.FabricMSPConfig) {
			cas(c)
			admins(c)
			tls(tlsRoot)(c)
			c.TlsIntermediateCerts = [][]byte{ca("tls middle", tlsRoot, p256()).pem}
		}, root), nil)
		add("TLS intermediate of nobody", config(func(c *mb.FabricMSPConfig) {
			cas(c)
			admins(c)
			tls(tlsRoot)(c)
			c.TlsIntermediateCerts = [][]byte{ca("tls middle", ca("x", nil, p256()), p256()).pem}
		}, root), nil)
	}
	return cases
}

func decodePEM(text []byte) ([]byte, error) {
	block := pemDecode(text)
	return block, nil
}

// withoutAKI drops the extensions of a list and signs nothing anew: only its reading matters.
func withoutAKI(text []byte) []byte {
	var list pkix.CertificateList
	must(asn1.Unmarshal(pemDecode(text), &list))
	list.TBSCertList.Raw = nil
	list.TBSCertList.Extensions = nil
	return must(asn1.Marshal(list))
}
