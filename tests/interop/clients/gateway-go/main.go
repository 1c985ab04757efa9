// SPDX-License-Identifier: Apache-2.0

// What a client does with a network through fabric-gateway; prints what came of it.
package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-gateway/pkg/hash"
	"github.com/hyperledger/fabric-gateway/pkg/identity"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

type place struct {
	Address, Host, TLSRoot, MSPID, Certificate, Key, Channel, Chaincode string
}

type object map[string]any

func story(gw *client.Gateway, at place, key string) object {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	network := gw.GetNetwork(at.Channel)
	contract := network.GetContract(at.Chaincode)

	events := must(network.ChaincodeEvents(ctx, at.Chaincode))
	must(contract.SubmitTransaction("put", key, "one"))
	event := first(events, func(event *client.ChaincodeEvent) bool { return string(event.Payload) == key })
	value := must(contract.EvaluateTransaction("get", key))
	again := first(must(network.ChaincodeEvents(ctx, at.Chaincode, client.WithStartBlock(event.BlockNumber))), anything)

	var transactions []*client.Transaction
	for _, name := range []string{"a", "b"} {
		proposal := must(contract.NewProposal("composite", client.WithArguments(key, name)))
		transactions = append(transactions, must(proposal.Endorse()))
	}
	var statuses []object
	for _, transaction := range transactions {
		commit := must(transaction.Submit())
		outcome := must(commit.Status())
		filtered := first(must(network.FilteredBlockEvents(ctx, client.WithStartBlock(outcome.BlockNumber))), anything)
		for _, one := range filtered.GetFilteredTransactions() {
			if one.GetTxid() == commit.TransactionID() {
				statuses = append(statuses, object{
					"code": outcome.Code, "successful": outcome.Successful, "filtered": one.GetTxValidationCode(),
				})
			}
		}
	}
	block := first(must(network.BlockEvents(ctx, client.WithStartBlock(1))), anything)

	return object{
		"event":    object{"name": event.EventName, "payload": string(event.Payload), "block": event.BlockNumber},
		"value":    string(value),
		"replayed": again.TransactionID == event.TransactionID,
		"statuses": statuses,
		"block":    block.GetHeader().GetNumber(),
		"refused": object{
			"evaluate":  refused(contract.EvaluateTransaction("fail")),
			"endorse":   refused(contract.SubmitTransaction("fail")),
			"chaincode": refused(network.GetContract("nobody").EvaluateTransaction("get", "a")),
			"channel":   refused(gw.GetNetwork("nowhere").GetContract("a").EvaluateTransaction("get", "a")),
		},
	}
}

func anything[T any](T) bool { return true }

func first[T any](events <-chan T, wanted func(T) bool) T {
	for event := range events {
		if wanted(event) {
			return event
		}
	}
	panic("the events ended")
}

func refused(_ []byte, err error) object {
	said := status.Convert(err)
	details := []object{}
	for _, detail := range said.Details() {
		if one, is := detail.(*gateway.ErrorDetail); is {
			details = append(details, object{"mspId": one.GetMspId(), "message": one.GetMessage()})
		}
	}
	return object{"code": said.Code(), "details": details}
}

func connect(at place) *client.Gateway {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(must(os.ReadFile(at.TLSRoot)))
	secure := grpc.WithTransportCredentials(credentials.NewClientTLSFromCert(roots, at.Host))
	connection := must(grpc.NewClient(at.Address, secure))
	certificate := must(identity.CertificateFromPEM(must(os.ReadFile(at.Certificate))))
	key := must(identity.PrivateKeyFromPEM(must(os.ReadFile(at.Key))))
	return must(client.Connect(
		must(identity.NewX509Identity(at.MSPID, certificate)),
		client.WithSign(must(identity.NewPrivateKeySign(key))),
		client.WithHash(hash.SHA256),
		client.WithClientConnection(connection),
	))
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	var at place
	if err := json.Unmarshal([]byte(os.Args[1]), &at); err != nil {
		panic(err)
	}
	gw := connect(at)
	defer gw.Close()
	fmt.Println(string(must(json.Marshal(story(gw, at, os.Args[2])))))
}
