// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"time"

	"github.com/hyperledger/fabric-lib-go/bccsp/utils"
)

var epoch = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

var serial int64 = 1000

// member is a certificate with its key.
type member struct {
	cert *x509.Certificate
	key  crypto.Signer
	pem  []byte
}

type edit func(*x509.Certificate)

func p256() crypto.Signer    { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }
func p224() crypto.Signer    { return must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader)) }
func p384() crypto.Signer    { return must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)) }
func p521() crypto.Signer    { return must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)) }
func rsa2048() crypto.Signer { return must(rsa.GenerateKey(rand.Reader, 2048)) }
func ed() crypto.Signer {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	check(err)
	return key
}

func skid(key crypto.Signer) []byte {
	sum := sha256.Sum256(must(x509.MarshalPKIXPublicKey(key.Public())))
	return sum[:20]
}

func toPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func sign(template *x509.Certificate, parent *member, key crypto.Signer) *member {
	issuer, signer := template, key
	if parent != nil {
		issuer, signer = parent.cert, parent.key
	}
	der := must(x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), signer))
	return parsed(lowS(der, signer.Public()), key)
}

func parsed(der []byte, key crypto.Signer) *member {
	return &member{cert: must(x509.ParseCertificate(der)), key: key, pem: toPEM(der)}
}

type rawCertificate struct {
	TBS       asn1.RawValue
	Algorithm pkix.AlgorithmIdentifier
	Signature asn1.BitString
}

// withS rewrites the signature of an ECDSA signed certificate.
func withS(der []byte, signer crypto.PublicKey, high bool) []byte {
	key, ok := signer.(*ecdsa.PublicKey)
	if !ok {
		return der
	}
	var cert rawCertificate
	must(asn1.Unmarshal(der, &cert))
	r, s, err := utils.UnmarshalECDSASignature(cert.Signature.Bytes)
	check(err)
	low := must(utils.IsLowS(key, s))
	if low == high {
		s = new(big.Int).Sub(key.Params().N, s)
	}
	sig := must(utils.MarshalECDSASignature(r, s))
	cert.Signature = asn1.BitString{Bytes: sig, BitLength: 8 * len(sig)}
	return must(asn1.Marshal(cert))
}

func lowS(der []byte, signer crypto.PublicKey) []byte { return withS(der, signer, false) }

func template(cn string, ous ...string) *x509.Certificate {
	serial++
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: cn, OrganizationalUnit: ous, Organization: []string{"org"}},
		NotBefore:    epoch,
		NotAfter:     epoch.AddDate(10, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
}

// ca makes a certificate authority, a root where parent is nil.
func ca(cn string, parent *member, key crypto.Signer, edits ...edit) *member {
	t := template(cn)
	t.NotBefore = epoch.AddDate(-1, 0, 0)
	t.NotAfter = epoch.AddDate(20, 0, 0)
	t.IsCA = true
	t.BasicConstraintsValid = true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	t.SubjectKeyId = skid(key)
	for _, edit := range edits {
		edit(t)
	}
	return sign(t, parent, key)
}

func leaf(parent *member, key crypto.Signer, cn string, ous []string, edits ...edit) *member {
	t := template(cn, ous...)
	for _, edit := range edits {
		edit(t)
	}
	return sign(t, parent, key)
}

func crl(issuer *member, edits func(*x509.RevocationList), revoked ...*member) []byte {
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: epoch, NextUpdate: epoch.AddDate(1, 0, 0)}
	for _, one := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: one.cert.SerialNumber, RevocationTime: epoch})
	}
	if edits != nil {
		edits(list)
	}
	der := must(x509.CreateRevocationList(rand.Reader, list, issuer.cert, issuer.key))
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}
