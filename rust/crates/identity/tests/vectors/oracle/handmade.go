// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/elliptic"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"strings"
)

func element(tag byte, parts ...[]byte) []byte {
	var contents []byte
	for _, part := range parts {
		contents = append(contents, part...)
	}
	return append(append([]byte{tag}, length(len(contents))...), contents...)
}

func length(count int) []byte {
	switch {
	case count < 0x80:
		return []byte{byte(count)}
	case count < 0x100:
		return []byte{0x81, byte(count)}
	}
	return []byte{0x82, byte(count >> 8), byte(count)}
}

func oid(arcs ...int) []byte { return must(asn1.Marshal(asn1.ObjectIdentifier(arcs))) }

func extension(value []byte, critical bool, arcs ...int) []byte {
	flag := []byte{}
	if critical {
		flag = []byte{1, 1, 0xff}
	}
	return element(0x30, oid(arcs...), flag, element(4, value))
}

func name(tag byte, value string) []byte {
	return element(0x30, element(0x31, element(0x30, oid(2, 5, 4, 11), element(tag, []byte(value)))))
}

var plain []byte

// withExtensions puts a list of extensions into an ordinary certificate, whose signature then no longer holds.
func withExtensions(list []byte) []byte {
	if plain == nil {
		plain = leaf(ca("root", nil, p256()), p256(), "x", []string{"client"}).cert.Raw
	}
	cert := must(x509.ParseCertificate(plain))
	var outer rawCertificate
	must(asn1.Unmarshal(plain, &outer))
	algorithm := must(asn1.Marshal(outer.Algorithm))
	validity := element(0x30, element(0x17, []byte("240101000000Z")), element(0x17, []byte("340101000000Z")))
	tbs := element(0x30, []byte{0xa0, 3, 2, 1, 2}, []byte{2, 1, 7}, algorithm, cert.RawIssuer, validity, cert.RawSubject,
		cert.RawSubjectPublicKeyInfo, element(0xa3, element(0x30, list)))
	return element(0x30, tbs, algorithm, must(asn1.Marshal(outer.Signature)))
}

// handmade builds certificates whose parts Go's own writer would not write.
func handmade() []certificateCase {
	base := leaf(ca("root", nil, p256()), p256(), "x", []string{"client"}).cert.Raw
	var outer rawCertificate
	must(asn1.Unmarshal(base, &outer))
	algorithm := must(asn1.Marshal(outer.Algorithm))
	signature := must(asn1.Marshal(outer.Signature))
	var cases []certificateCase
	add := func(change func(parts map[string][]byte)) {
		cert := must(x509.ParseCertificate(base))
		parts := map[string][]byte{
			"version": {0xa0, 3, 2, 1, 2}, "serial": {2, 1, 7}, "algorithm": algorithm, "issuer": cert.RawIssuer,
			"validity":   element(0x30, element(0x17, []byte("240101000000Z")), element(0x17, []byte("340101000000Z"))),
			"subject":    cert.RawSubject,
			"key":        cert.RawSubjectPublicKeyInfo,
			"ids":        nil,
			"extensions": nil,
			"more":       nil, "outer algorithm": algorithm, "signature": signature, "after": nil,
		}
		change(parts)
		if list := parts["extension list"]; list != nil {
			parts["extensions"] = element(0xa3, element(0x30, list))
		}
		tbs := element(0x30, parts["version"], parts["serial"], parts["algorithm"], parts["issuer"], parts["validity"],
			parts["subject"], parts["key"], parts["ids"], parts["extensions"], parts["more"])
		der := append(element(0x30, tbs, parts["outer algorithm"], parts["signature"], parts["inside"]), parts["after"]...)
		one := certificateCase{Base: -1, Der: der}
		describe(&one, der)
		cases = append(cases, one)
	}
	set := func(key string, value []byte) {
		add(func(parts map[string][]byte) { parts[key] = value })
	}
	unknown := extension([]byte{5, 0}, false, 1, 2, 3)
	set("extension list", unknown)
	set("extension list", append(append([]byte{}, unknown...), unknown...))
	set("extension list", []byte{})
	set("extension list", element(0x30, oid(1, 2, 3), []byte{1, 1, 1}, element(4)))
	set("extension list", element(0x30, oid(1, 2, 3), []byte{1, 1, 0}, element(4)))
	set("extension list", element(0x30, oid(1, 2, 3), []byte{1, 1, 0xff}, element(4), []byte{5, 0}))
	set("extension list", element(0x30, oid(1, 2, 3)))
	for _, value := range [][]byte{{0x30, 0}, {0x30, 3, 1, 1, 0xff}, {0x30, 6, 1, 1, 0xff, 2, 1, 0}, {0x30, 6, 1, 1, 0xff, 2, 1, 0xff},
		{0x30, 3, 1, 1, 1}, {0x30, 3, 2, 1, 5}, {0x30, 5, 1, 1, 0xff, 5, 0}, {0x30, 3, 1, 1, 0xff, 9},
		{0x30, 12, 1, 1, 0xff, 2, 7, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {0x30, 14, 1, 1, 0xff, 2, 9, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {5, 0}} {
		set("extension list", extension(value, true, 2, 5, 29, 19))
	}
	for _, value := range [][]byte{{3, 2, 5, 0xa0}, {3, 1, 0}, {3, 2, 5, 0xa1}, {3, 2, 9, 0}, {3, 0}, {4, 1, 1}} {
		set("extension list", extension(value, true, 2, 5, 29, 15))
	}
	for _, critical := range []bool{false, true} {
		set("extension list", extension([]byte{4, 1, 9}, critical, 2, 5, 29, 14))
		set("extension list", extension([]byte{0x30, 3, 0x80, 1, 9}, critical, 2, 5, 29, 35))
		set("extension list", extension([]byte{0x30, 0}, critical, 1, 3, 6, 1, 5, 5, 7, 1, 1))
	}
	for _, value := range [][]byte{{0x30, 0}, {0x30, 3, 0x82, 1, 'a'}, {0x30, 3, 0x82, 1, 0x80}, {0x30, 6, 0x87, 4, 1, 2, 3, 4}, {0x30, 5, 0x87, 3, 1, 2, 3},
		{0x30, 3, 0x81, 1, '@'}, {0x30, 9, 0x86, 7, 'h', ':', '/', '/', 'a', ' ', 'b'}, {0x30, 9, 0x86, 7, 'h', ':', '/', '/', 'a', '.', 'b'}, {0x30, 10, 0x86, 8, 'h', ':', '/', '/', 'a', '.', '.', 'b'},
		{0x30, 3, 0x86, 1, ':'}, {0x30, 4, 0xa4, 2, 0x30, 0}, {0x31, 0}, {0x30, 3, 0x82, 1}} {
		set("extension list", extension(value, false, 2, 5, 29, 17))
	}
	for _, value := range [][]byte{{0x30, 0}, {0x30, 2, 0xa0, 0}, {0x30, 7, 0xa0, 5, 0x30, 3, 0x82, 1, 'a'}, {0x30, 9, 0xa0, 7, 0x30, 5, 0x82, 3, 'a', '.', '.'},
		{0x30, 14, 0xa0, 12, 0x30, 10, 0x87, 8, 1, 2, 3, 4, 255, 0, 255, 0}, {0x30, 14, 0xa1, 12, 0x30, 10, 0x87, 8, 1, 2, 3, 4, 255, 128, 0, 0},
		{0x30, 8, 0xa0, 6, 0x30, 4, 0xa4, 2, 0x30, 0}, {0x30, 9, 0xa0, 7, 0x30, 5, 0x86, 3, ':', ':', '1'}, {0x30, 9, 0xa0, 7, 0x30, 5, 0x81, 3, 'a', '@', 'b'}, {0x30, 9, 0xa0, 7, 0x30, 5, 0x81, 3, '.', '@', 'b'}} {
		set("extension list", extension(value, true, 2, 5, 29, 30))
	}
	for _, value := range [][]byte{{0x30, 0}, {0x30, 6, 0x30, 4, 6, 2, 0x2a, 3}, {0x30, 12, 0x30, 4, 6, 2, 0x2a, 3, 0x30, 4, 6, 2, 0x2a, 3}, {0x30, 5, 0x30, 3, 6, 1, 0x80}} {
		set("extension list", extension(value, false, 2, 5, 29, 32))
	}
	for _, value := range [][]byte{{0x30, 0}, {0x30, 3, 0x80, 1, 3}, {0x30, 6, 0x80, 1, 3, 0x81, 1, 0}, {0x30, 4, 0x80, 2, 0, 3}, {5, 0}} {
		set("extension list", extension(value, false, 2, 5, 29, 36))
	}
	for _, value := range [][]byte{{2, 1, 0}, {2, 1, 0xff}, {5, 0}} {
		set("extension list", extension(value, false, 2, 5, 29, 54))
	}
	set("extension list", extension([]byte{0x30, 0}, false, 2, 5, 29, 37))
	set("extension list", extension([]byte{0x30, 2, 5, 0}, false, 2, 5, 29, 37))
	set("extension list", extension([]byte{0x30, 2, 0x30, 0}, false, 2, 5, 29, 31))
	set("extension list", extension([]byte{0x30, 2, 5, 0}, false, 2, 5, 29, 31))
	set("extension list", extension([]byte{0x30, 2, 0x30, 0}, false, 2, 5, 29, 33))
	for _, version := range [][]byte{nil, {0xa0, 3, 2, 1, 0}, {0xa0, 3, 2, 1, 1}, {0xa0, 3, 2, 1, 3}, {0xa0, 3, 2, 1, 0xff}, {0xa0, 5, 2, 1, 2, 5, 0}, {0xa0, 4, 2, 2, 0, 2}} {
		set("version", version)
		add(func(parts map[string][]byte) {
			parts["version"], parts["extension list"] = version, append(append([]byte{}, unknown...), unknown...)
		})
	}
	for _, serial := range [][]byte{{2, 1, 0}, {2, 1, 0x80}, {2, 2, 0, 0x7f}, {2, 0}, element(2, make([]byte, 1), []byte(strings.Repeat("\xff", 40)))} {
		set("serial", serial)
	}
	set("ids", []byte{0x81, 2, 0, 1, 0x82, 2, 0, 1})
	set("ids", []byte{0x82, 2, 0, 1})
	set("ids", []byte{0x82, 2, 0, 1, 0x81, 2, 0, 1})
	set("more", []byte{5, 0})
	set("inside", []byte{5, 0})
	set("inside", []byte{5})
	set("after", []byte{0})
	set("outer algorithm", element(0x30, oid(1, 2, 840, 10045, 4, 3, 3)))
	both := func(value []byte) {
		add(func(parts map[string][]byte) { parts["algorithm"], parts["outer algorithm"] = value, value })
	}
	both(element(0x30, oid(1, 2, 3, 4)))
	both(element(0x30, oid(1, 2, 840, 10045, 4, 3, 2), []byte{5, 0}))
	both(element(0x30, oid(1, 2, 840, 10045, 4, 3, 2), []byte{5}))
	both(element(0x30, oid(1, 2, 840, 10045, 4, 3, 2), []byte{5, 0, 9}))
	both(element(0x30))
	both(element(0x30, oid(1, 2, 840, 113549, 1, 1, 10), []byte{0x30, 0}))
	both(element(0x30, oid(1, 3, 101, 112), []byte{5, 0}))
	for _, text := range []string{"2401010000Z", "240101000000+0100", "240101000000+0000", "240101000000-2359", "240101000000-2400", "240230000000Z", "240229000000Z", "230229000000Z",
		"241301000000Z", "240101240000Z", "240101006000Z", "240101000060Z", "240101000000", "24010100000Z", "490101000000Z", "500101000000Z", "690101000000Z", "991231235959Z", "240101000000.1Z", "240101000000z", "+40101000000Z"} {
		set("validity", element(0x30, element(0x17, []byte(text)), element(0x17, []byte("340101000000Z"))))
	}
	for _, text := range []string{"20240101000000Z", "00010101000000Z", "99991231235959Z", "202401010000Z", "20240101000000+0130", "20240101000000.5Z", "20000229000000Z", "19000229000000Z", "20240101000000+2400", "20240101000000+2500"} {
		set("validity", element(0x30, element(0x17, []byte("240101000000Z")), element(0x18, []byte(text))))
	}
	set("validity", element(0x30, element(0x17, []byte("240101000000Z"))))
	set("validity", element(0x30, element(0x17, []byte("240101000000Z")), element(0x17, []byte("240101000000Z")), []byte{5, 0}))
	for _, one := range []struct {
		tag  byte
		text string
	}{{0x0c, "ü"}, {0x0c, "\xff"}, {0x13, "a*&"}, {0x13, "a_b"}, {0x13, "a@b"}, {0x14, "\xe4"}, {0x16, "a@b"}, {0x16, "\x80"}, {0x12, "1 2"}, {0x12, "a"},
		{0x1e, "\x00a\x00b"}, {0x1e, "\x00a\x00\x00"}, {0x1e, "\x00"}, {0x1e, "\xd8\x00"}, {0x1e, "\xff\xfe"}, {0x1c, "\x00\x00\x00a"}, {0x04, "a"}, {0x05, ""}, {0x0c, ""}} {
		set("subject", name(one.tag, one.text))
	}
	set("subject", []byte{0x30, 0})
	set("subject", []byte{0x30, 2, 0x31, 0})
	set("subject", element(0x30, element(0x31, element(0x30, oid(2, 5, 4, 11), []byte{0x0c, 1, 'a'}, []byte{5, 0}))))
	set("subject", element(0x30, element(0x31, element(0x30, oid(2, 5, 4, 11)))))
	set("subject", element(0x30, element(0x31, element(0x30, []byte{6, 0}, []byte{0x0c, 1, 'a'}))))
	set("subject", element(0x30, element(0x31, element(0x30, oid(2, 5, 4, 3), []byte{0x0c, 1, 'a'}), element(0x30, oid(2, 5, 4, 11), []byte{0x0c, 1, 'b'})), element(0x31, element(0x30, oid(2, 5, 4, 3), []byte{0x0c, 1, 'c'}))))
	keys(func(value []byte) { set("key", value) })
	set("signature", []byte{3, 1, 0})
	set("signature", []byte{3, 2, 4, 0x10})
	set("signature", []byte{3, 2, 4, 0x18})
	set("signature", nil)
	return cases
}

func keys(set func([]byte)) {
	curve := elliptic.P256()
	x, y := curve.ScalarBaseMult([]byte{7})
	point := elliptic.Marshal(curve, x, y)
	ec := func(named []byte, point []byte) {
		set(element(0x30, element(0x30, oid(1, 2, 840, 10045, 2, 1), named), element(3, []byte{0}, point)))
	}
	p256OID := oid(1, 2, 840, 10045, 3, 1, 7)
	ec(p256OID, point)
	ec(p256OID, elliptic.MarshalCompressed(curve, x, y))
	ec(p256OID, point[:64])
	ec(p256OID, append(append([]byte{}, point...), 0))
	off := append([]byte{}, point...)
	off[64] ^= 1
	ec(p256OID, off)
	ec(p256OID, append([]byte{6}, point[1:]...))
	ec(p256OID, []byte{0})
	ec(oid(1, 3, 132, 0, 10), point)
	ec(nil, point)
	ec([]byte{5, 0}, point)
	for _, curve := range []struct {
		curve elliptic.Curve
		oid   []byte
	}{{elliptic.P224(), oid(1, 3, 132, 0, 33)}, {elliptic.P384(), oid(1, 3, 132, 0, 34)}, {elliptic.P521(), oid(1, 3, 132, 0, 35)}} {
		x, y := curve.curve.ScalarBaseMult([]byte{7})
		point := elliptic.Marshal(curve.curve, x, y)
		ec(curve.oid, point)
		point[len(point)-1] ^= 1
		ec(curve.oid, point)
	}
	other := func(algorithm []byte, bits []byte) { set(element(0x30, algorithm, element(3, []byte{0}, bits))) }
	modulus := must(asn1.Marshal(new(big.Int).Lsh(big.NewInt(3), 2047)))
	rsaKey := element(0x30, modulus, []byte{2, 3, 1, 0, 1})
	other(element(0x30, oid(1, 2, 840, 113549, 1, 1, 1), []byte{5, 0}), rsaKey)
	other(element(0x30, oid(1, 2, 840, 113549, 1, 1, 1)), rsaKey)
	other(element(0x30, oid(1, 2, 840, 113549, 1, 1, 1), []byte{5, 0}), element(0x30, modulus, []byte{2, 1, 0xff}))
	other(element(0x30, oid(1, 2, 840, 113549, 1, 1, 1), []byte{5, 0}), element(0x30, []byte{2, 1, 0}, []byte{2, 1, 3}))
	other(element(0x30, oid(1, 2, 840, 113549, 1, 1, 1), []byte{5, 0}), element(0x30, modulus, element(2, []byte{1, 2, 3, 4, 5, 6, 7, 8, 9})))
	other(element(0x30, oid(1, 3, 101, 112)), make([]byte, 32))
	other(element(0x30, oid(1, 3, 101, 112)), make([]byte, 31))
	other(element(0x30, oid(1, 3, 101, 112), []byte{5, 0}), make([]byte, 32))
	other(element(0x30, oid(1, 3, 101, 110)), make([]byte, 32))
	other(element(0x30, oid(1, 2, 3)), []byte{1})
	other(element(0x30, oid(1, 2, 840, 10040, 4, 1), element(0x30, []byte{2, 1, 1, 2, 1, 1, 2, 1, 1})), []byte{2, 1, 1})
	other(element(0x30, oid(1, 2, 840, 10040, 4, 1), element(0x30, []byte{2, 1, 1, 2, 1, 0, 2, 1, 1})), []byte{2, 1, 1})
	other(element(0x30, oid(1, 2, 840, 10040, 4, 1)), []byte{2, 1, 1})
	set(element(0x30, element(0x30, oid(1, 3, 101, 112)), []byte{3, 34, 4}, make([]byte, 33)))
}
