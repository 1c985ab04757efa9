// SPDX-License-Identifier: Apache-2.0

// Makes the vectors beside it with Hyperledger Fabric's own code: MSPs and identities of many kinds, signature
// policies over them, mutated certificates, PEM texts and configuration updates, each with Fabric's verdict.
//
// It is built inside a checkout of Fabric (release 3.1) as cmd/oracle and run with a folder to write to.
package main

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/hyperledger/fabric-lib-go/bccsp"
	"github.com/hyperledger/fabric-lib-go/bccsp/sw"
	"github.com/hyperledger/fabric-lib-go/common/flogging"
)

var provider bccsp.BCCSP

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func write(name string, value any) {
	file := must(os.Create(filepath.Join(os.Args[1], name)))
	check(json.NewEncoder(file).Encode(value))
	check(file.Close())
}

func main() {
	flogging.ActivateSpec("fatal")
	provider = must(sw.NewDefaultSecurityLevelWithKeystore(sw.NewDummyKeyStore()))
	write("msps.json", mspCases())
	write("certificates.json", certificateCases())
	write("pem.json", pemCases())
	write("uris.json", uriCases())
	write("config_updates.json", updateCases())
}
