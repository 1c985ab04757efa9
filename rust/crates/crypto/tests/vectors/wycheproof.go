// SPDX-License-Identifier: Apache-2.0

// Writes wycheproof.txt: for each vector of Wycheproof's ecdsa_secp256r1_sha256_test.json (read from standard input)
// whether Fabric accepts it: Go's encoding/asn1, positive r and s, low S, then Go's ECDSA.
// Run: go run wycheproof.go < ecdsa_secp256r1_sha256_test.json > wycheproof.txt
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
)

type vectors struct {
	TestGroups []struct {
		PublicKey struct {
			Uncompressed string `json:"uncompressed"`
		} `json:"publicKey"`
		Tests []struct {
			ID  int    `json:"tcId"`
			Msg string `json:"msg"`
			Sig string `json:"sig"`
		} `json:"tests"`
	} `json:"testGroups"`
}

func unhex(text string) []byte {
	out, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return out
}

func accepts(key *ecdsa.PublicKey, message, der []byte) bool {
	var signature struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &signature); err != nil {
		return false
	}
	half := new(big.Int).Rsh(key.Params().N, 1)
	if signature.R.Sign() != 1 || signature.S.Sign() != 1 || signature.S.Cmp(half) > 0 {
		return false
	}
	digest := sha256.Sum256(message)
	return ecdsa.Verify(key, digest[:], signature.R, signature.S)
}

func main() {
	var all vectors
	if err := json.NewDecoder(os.Stdin).Decode(&all); err != nil {
		panic(err)
	}
	fmt.Println("# Written by wycheproof.go. Each line: the number of a vector, and whether Fabric accepts it.")
	for _, group := range all.TestGroups {
		point := unhex(group.PublicKey.Uncompressed)
		key := &ecdsa.PublicKey{
			Curve: elliptic.P256(),
			X:     new(big.Int).SetBytes(point[1:33]),
			Y:     new(big.Int).SetBytes(point[33:]),
		}
		for _, test := range group.Tests {
			fmt.Println(test.ID, accepts(key, unhex(test.Msg), unhex(test.Sig)))
		}
	}
}
