// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/x509"
	"encoding/pem"
	mathrand "math/rand"
	"strings"
)

func pemDecode(text []byte) []byte {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil
	}
	return block.Bytes
}

type pemCase struct {
	Text  string `json:"text"`
	Found bool   `json:"found"`
	Label string `json:"label"`
	Bytes []byte `json:"bytes"`
	Rest  string `json:"rest"`
}

// pemCases shuffles pieces of PEM texts.
func pemCases() []pemCase {
	random := mathrand.New(mathrand.NewSource(3))
	pieces := []string{
		"-----BEGIN X-----", "-----END X-----", "-----BEGIN Y-----", "-----END Y-----", "-----BEGIN A:B-----", "-----END A:B-----",
		"\n", "\n", "\n", "\r\n", "aGVsbG8=", "aGVsbG8", "aGVsbG9=", "aGVs", "bG8=", "key: value", " ", "\t", "-----", "text", "!",
		"-----BEGIN X-----\naGVsbG8=\n-----END X-----", "-----BEGIN X-----\nk: v\n\naGVs\nbG8=\n-----END X-----\n", "====", "aGVsbG8=\n=",
	}
	var cases []pemCase
	for range 4000 {
		var text strings.Builder
		for range 1 + random.Intn(9) {
			text.WriteString(pieces[random.Intn(len(pieces))])
			if random.Intn(2) == 0 {
				text.WriteString("\n")
			}
		}
		one := pemCase{Text: text.String()}
		if block, rest := pem.Decode([]byte(one.Text)); block != nil {
			one.Found, one.Label, one.Bytes, one.Rest = true, block.Type, block.Bytes, string(rest)
		}
		cases = append(cases, one)
	}
	return cases
}

type uriCase struct {
	URI  string  `json:"uri"`
	Host *string `json:"host"` // nil where a certificate with this name is refused
}

// uriCases shuffles pieces of URIs; Go's reader of certificates is asked, which also wants the host to be a domain.
func uriCases() []uriCase {
	random := mathrand.New(mathrand.NewSource(11))
	pieces := []string{
		"http", "https", "spiffe", "urn", "1a", "a+b", ":", "//", "/", "//", "example.com", "a.b", "..", ".", "%41", "%25", "%2", "%zz", "%e4",
		"@", "user", "user:pw", "[::1]", "[fe80::1%25en0]", "[fe80::1%25%20x]", "[fe80::1%25]", "[1.2.3.4]", "[::1", "]", "[", ":80", ":8x", ":", "?", "?q=%", "#f", "#%", "{", " ", "*", "<", "\"", "|", "\\", "^", "~", "!", "::", "10.0.0.1",
	}
	var cases []uriCase
	for range 6000 {
		var text strings.Builder
		if random.Intn(2) == 0 {
			text.WriteString([]string{"http://", "spiffe://", "https://", "//", "x:", "ftp://u@"}[random.Intn(6)])
		}
		for range random.Intn(6) {
			text.WriteString(pieces[random.Intn(len(pieces))])
		}
		one := uriCase{URI: text.String()}
		value := element(0x30, element(0x86, []byte(one.URI)))
		der := withExtensions(extension(value, false, 2, 5, 29, 17))
		if cert, err := x509.ParseCertificate(der); err == nil {
			one.Host = &cert.URIs[0].Host
		}
		cases = append(cases, one)
	}
	return cases
}

type certificateCase struct {
	Base  int    `json:"base"` // -1 where the certificate stands here
	Der   []byte `json:"der,omitempty"`
	Edits []int  `json:"edits"` // kind (0 set, 1 insert, 2 delete), offset, byte; repeated
	Reads bool   `json:"reads"`
	OUs   string `json:"ous,omitempty"`
	From  int64  `json:"from,omitempty"`
	To    int64  `json:"to,omitempty"`
	CA    bool   `json:"ca,omitempty"`
}

type certificateVectors struct {
	Bases [][]byte          `json:"bases"`
	Cases []certificateCase `json:"cases"`
}

// certificateCases mutates certificates of all kinds, keeping the lengths of DER consistent half of the time.
func certificateCases() certificateVectors {
	random := mathrand.New(mathrand.NewSource(5))
	root := ca("root", nil, p256(), func(t *x509.Certificate) {
		t.PermittedDNSDomains = []string{"example.com"}
		t.MaxPathLen = 3
	})
	var result certificateVectors
	result.Bases = append(result.Bases, root.cert.Raw)
	for _, one := range append(extended(root), keyed(root)...) {
		result.Bases = append(result.Bases, one.who.cert.Raw)
	}
	result.Bases = append(result.Bases, ca("rsa", nil, rsa2048()).cert.Raw, usual(root)[1].who.cert.Raw)
	interesting := []int{0, 1, 2, 3, 4, 5, 6, 0x0c, 0x13, 0x14, 0x16, 0x17, 0x18, 0x1e, 0x30, 0x31, 0x7f, 0x80, 0x81, 0x82, 0xa0, 0xa3, 0xff}
	for range 12000 {
		base := random.Intn(len(result.Bases))
		der := append([]byte{}, result.Bases[base]...)
		var edits []int
		for range 1 + random.Intn(2) {
			kind, offset, value := 0, random.Intn(len(der)), random.Intn(256)
			if random.Intn(2) == 0 {
				value = interesting[random.Intn(len(interesting))]
			}
			if random.Intn(8) == 0 {
				kind = 1 + random.Intn(2)
			}
			edits = append(edits, kind, offset, value)
			der = edited(der, kind, offset, value)
		}
		one := certificateCase{Base: base, Edits: edits}
		describe(&one, der)
		result.Cases = append(result.Cases, one)
	}
	result.Cases = append(result.Cases, handmade()...)
	return result
}

func describe(one *certificateCase, der []byte) {
	if cert, err := x509.ParseCertificate(der); err == nil {
		one.Reads = true
		one.OUs = strings.Join(cert.Subject.OrganizationalUnit, "|") + "/" + cert.Subject.CommonName
		one.From, one.To, one.CA = cert.NotBefore.Unix(), cert.NotAfter.Unix(), cert.IsCA
	}
}

func edited(der []byte, kind, offset, value int) []byte {
	switch kind {
	case 1:
		return append(append(append([]byte{}, der[:offset]...), byte(value)), der[offset:]...)
	case 2:
		return append(append([]byte{}, der[:offset]...), der[offset+1:]...)
	}
	der[offset] = byte(value)
	return der
}
