// SPDX-License-Identifier: Apache-2.0

// What a client does with a network through fabric-sdk-go; prints what came of it.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hyperledger/fabric-sdk-go/pkg/core/config"
	"github.com/hyperledger/fabric-sdk-go/pkg/gateway"
)

type place struct {
	Profile, MSPID, Certificate, Key, Channel, Chaincode string
}

func story(network *gateway.Network, at place, key string) map[string]any {
	contract := network.GetContract(at.Chaincode)
	registration, events, err := contract.RegisterEvent("put")
	check(err)
	defer contract.Unregister(registration)
	_, err = contract.SubmitTransaction("put", key, "one")
	check(err)
	event := <-events
	value, err := contract.EvaluateTransaction("get", key)
	check(err)
	_, evaluated := contract.EvaluateTransaction("fail")
	_, endorsed := contract.SubmitTransaction("fail")
	return map[string]any{
		"event":   map[string]any{"name": event.EventName, "payload": string(event.Payload)},
		"value":   string(value),
		"refused": map[string]string{"evaluate": fmt.Sprint(evaluated), "endorse": fmt.Sprint(endorsed)},
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	var at place
	check(json.Unmarshal([]byte(os.Args[1]), &at))
	check(os.Setenv("DISCOVERY_AS_LOCALHOST", "true"))
	certificate, err := os.ReadFile(at.Certificate)
	check(err)
	private, err := os.ReadFile(at.Key)
	check(err)
	wallet := gateway.NewInMemoryWallet()
	check(wallet.Put("user", gateway.NewX509Identity(at.MSPID, string(certificate), string(private))))
	gw, err := gateway.Connect(
		gateway.WithConfig(config.FromFile(filepath.Clean(at.Profile))),
		gateway.WithIdentity(wallet, "user"),
	)
	check(err)
	defer gw.Close()
	network, err := gw.GetNetwork(at.Channel)
	check(err)
	told, err := json.Marshal(story(network, at, os.Args[2]))
	check(err)
	fmt.Println(string(told))
}
