// SPDX-License-Identifier: Apache-2.0

// Writes der.txt: byte strings near a DER signature, and what Go's encoding/asn1 followed by Fabric's checks makes
// of each. Run: go run der.go > der.txt
package main

import (
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"math/big"
	"math/rand"
)

var order, _ = new(big.Int).SetString("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16)

// judge answers "r s" in hexadecimal, or "refused".
func judge(der []byte) string {
	var signature struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &signature); err != nil {
		return "refused"
	}
	half := new(big.Int).Rsh(order, 1)
	if signature.R.Sign() != 1 || signature.S.Sign() != 1 || signature.S.Cmp(half) > 0 {
		return "refused"
	}
	// Longer ones are accepted here, and then verify with no key.
	if signature.R.BitLen() > 256 {
		return "refused"
	}
	return fmt.Sprintf("%064x %064x", signature.R, signature.S)
}

func element(tag byte, length []byte, contents ...[]byte) []byte {
	out := append([]byte{tag}, length...)
	for _, part := range contents {
		out = append(out, part...)
	}
	return out
}

func short(tag byte, contents ...[]byte) []byte {
	n := 0
	for _, part := range contents {
		n += len(part)
	}
	return element(tag, []byte{byte(n)}, contents...)
}

func integer(n *big.Int) []byte {
	out, err := asn1.Marshal(n)
	if err != nil {
		panic(err)
	}
	return out
}

func main() {
	random := rand.New(rand.NewSource(1))
	half := new(big.Int).Rsh(order, 1)
	one := big.NewInt(1)
	sum := func(a *big.Int, b int64) *big.Int { return new(big.Int).Add(a, big.NewInt(b)) }
	full := new(big.Int).Lsh(one, 256)
	numbers := []*big.Int{
		big.NewInt(-1), big.NewInt(0), one, big.NewInt(127), big.NewInt(128), big.NewInt(255), big.NewInt(256),
		sum(half, -1), half, sum(half, 1), sum(order, -1), order, sum(order, 1), sum(full, -1), full,
		new(big.Int).Lsh(one, 600), new(big.Int).Neg(half), new(big.Int).Neg(full),
	}
	var cases [][]byte
	for _, r := range numbers {
		for _, s := range numbers {
			body := append(integer(r), integer(s)...)
			if len(body) < 128 {
				cases = append(cases, short(0x30, body))
			} else {
				cases = append(cases, element(0x30, []byte{0x81, byte(len(body))}, body))
			}
		}
	}
	r, s := integer(sum(half, -12345)), integer(sum(half, -54321))
	good := short(0x30, r, s)
	n := byte(len(r) + len(s))
	long := make([]byte, 200)
	crafted := [][]byte{
		{}, {0x30}, {0x30, 0x00}, {0x30, 0x80}, good, append(append([]byte{}, good...), 1, 2, 3),
		short(0x30, r, s, []byte{0xff}), short(0x30, r, s, []byte{0x02, 0x01, 0x01}), short(0x30, r), short(0x30, r, []byte{2}),
		short(0x30, r, []byte{2, 0}), short(0x30, []byte{2, 0}, s), short(0x31, r, s), short(0x10, r, s), short(0x70, r, s),
		short(0xb0, r, s), short(0x3f, r, s), {0x3f, 0x10, n}, short(0x30, r, short(0x22, s[2:])), short(0x30, r, short(0x82, s[2:])),
		short(0x30, r, short(0x0a, s[2:])), short(0x30, short(0x2, []byte{0}, r[2:]), s), short(0x30, short(0x2, []byte{0, 0, 0x80}), s),
		short(0x30, short(2, []byte{0, 0x80}), s), short(0x30, short(2, []byte{0, 0x7f}), s), short(0x30, short(2, []byte{0xff, 0x80}), s),
		short(0x30, short(2, []byte{0xff, 0x7f}), s), short(0x30, short(2, []byte{0}), s), short(0x30, short(2, []byte{0, 0}), s),
		element(0x30, []byte{0x81, n}, r, s), element(0x30, []byte{0x82, 0, n}, r, s), element(0x30, []byte{0x80}, r, s, []byte{0, 0}),
		element(0x30, []byte{0x81, byte(200 + int(n))}, r, s, long), element(0x30, []byte{0x82, 0, byte(200 + int(n))}, r, s, long),
		element(0x30, []byte{0x82, 1, 0}, r, s, make([]byte, 256-int(n))), element(0x30, []byte{0x83, 0, 1, 0}, r, s, make([]byte, 256-int(n))),
		element(0x30, []byte{0x84, 0, 0, 0, n}, r, s), element(0x30, []byte{0x83, 0x80, 0, 0}, r, s), element(0x30, []byte{0x84, 0x80, 0, 0, 0}, r, s),
		element(0x30, []byte{0x84, 0x7f, 0xff, 0xff, 0xff}, r, s), element(0x30, []byte{0x88, 1, 0, 0, 0, 0, 0, 0, n}, r, s),
		element(0x30, []byte{0xff}, r, s), element(0x30, []byte{n + 1}, r, s), element(0x30, []byte{n - 1}, r, s), element(0x30, []byte{n - 40}, r, s),
		short(0x30, element(2, []byte{0x81, byte(len(r) - 2)}, r[2:]), s), short(0x30, r, element(2, []byte{0x81, byte(len(s) - 2)}, s[2:])),
		short(0x30, r, element(2, []byte{byte(len(s) - 1)}, s[2:])), short(0x30, r, element(2, []byte{byte(len(s) - 3)}, s[2:])),
		short(0x30, []byte{0x05, 0}, r, s), short(0x30, r, []byte{0x05, 0}, s), short(0x30, short(0x30, r, s)),
	}
	cases = append(cases, crafted...)
	for i := range good {
		cases = append(cases, good[:i])
	}
	for i := 0; i < 700; i++ {
		mutant := append([]byte{}, good...)
		for n := 1 + random.Intn(3); n > 0; n-- {
			// Mostly among the bytes that carry structure.
			places := []int{0, 1, 2, 3, 4, len(r) + 2, len(r) + 3, len(r) + 4, random.Intn(len(mutant))}
			place := places[random.Intn(len(places))]
			switch random.Intn(4) {
			case 0:
				mutant[place] = byte(random.Intn(256))
			case 1:
				mutant[place] ^= 1 << random.Intn(8)
			case 2:
				mutant[place] += byte(random.Intn(5) - 2)
			case 3:
				mutant = append(mutant[:place:place], append([]byte{byte(random.Intn(256))}, mutant[place:]...)...)
			}
		}
		cases = append(cases, mutant)
	}
	fmt.Println("# Written by der.go. Each line: bytes, then what Go and Fabric's rules make of them. \"-\" stands for no bytes.")
	for _, der := range cases {
		spelled := hex.EncodeToString(der)
		if spelled == "" {
			spelled = "-"
		}
		fmt.Println(spelled, judge(der))
	}
}
