// SPDX-License-Identifier: Apache-2.0

// Chaincode on the Go shim, run in both dial modes.
package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/hyperledger/fabric-chaincode-go/v2/pkg/cid"
	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
)

type interop struct{}

func (interop) Init(shim.ChaincodeStubInterface) *peer.Response { return shim.Success(nil) }

func (interop) Invoke(stub shim.ChaincodeStubInterface) *peer.Response {
	name, args := stub.GetFunctionAndParameters()
	function, found := functions[name]
	if !found {
		return shim.Error("no function " + name)
	}
	result, err := function(stub, args)
	if err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(result)
}

type function func(shim.ChaincodeStubInterface, []string) ([]byte, error)

var functions = map[string]function{
	"put": func(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
		if err := stub.PutState(args[0], []byte(args[1])); err != nil {
			return nil, err
		}
		return nil, stub.SetEvent("put", []byte(args[0]))
	},
	"get": func(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
		return stub.GetState(args[0])
	},
	"del": func(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
		return nil, stub.DelState(args[0])
	},
	"range": func(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
		rows, err := stub.GetStateByRange(args[0], args[1])
		return keysOf(rows, err)
	},
	"page": func(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
		size, err := strconv.Atoi(args[0])
		if err != nil {
			return nil, err
		}
		rows, metadata, err := stub.GetStateByRangeWithPagination("", "", int32(size), args[1])
		keys, err := keysOf(rows, err)
		if err != nil {
			return nil, err
		}
		return json.Marshal(map[string]any{
			"keys": json.RawMessage(keys), "count": metadata.FetchedRecordsCount, "bookmark": metadata.Bookmark,
		})
	},
	"query": func(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
		rows, err := stub.GetQueryResult(args[0])
		return keysOf(rows, err)
	},
	"history": func(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
		rows, err := stub.GetHistoryForKey(args[0])
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		ids := []string{}
		for rows.HasNext() {
			row, err := rows.Next()
			if err != nil {
				return nil, err
			}
			ids = append(ids, row.TxId)
		}
		return json.Marshal(ids)
	},
	"composite": func(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
		key, err := stub.CreateCompositeKey("pair", args)
		if err != nil {
			return nil, err
		}
		if err := stub.PutState(key, []byte("x")); err != nil {
			return nil, err
		}
		rows, err := stub.GetStateByPartialCompositeKey("pair", args[:1])
		return keysOf(rows, err)
	},
	"hidden": func(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
		transient, err := stub.GetTransient()
		if err != nil {
			return nil, err
		}
		if err := stub.PutPrivateData(args[0], args[1], transient["value"]); err != nil {
			return nil, err
		}
		hash, err := stub.GetPrivateDataHash(args[0], "kept")
		return []byte(hex.EncodeToString(hash)), err
	},
	"purge": func(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
		return nil, stub.PurgePrivateData(args[0], args[1])
	},
	"policy": func(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
		if err := stub.SetStateValidationParameter(args[0], []byte("policy")); err != nil {
			return nil, err
		}
		return stub.GetStateValidationParameter(args[0])
	},
	"call": func(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
		var inner [][]byte
		for _, arg := range args[2:] {
			inner = append(inner, []byte(arg))
		}
		response := stub.InvokeChaincode(args[0], inner, args[1])
		return []byte(fmt.Sprintf("%d:%s", response.Status, response.Payload)), nil
	},
	"who": func(stub shim.ChaincodeStubInterface, _ []string) ([]byte, error) {
		id, err := cid.GetID(stub)
		return []byte(id), err
	},
	"batch": func(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
		stub.StartWriteBatch()
		for _, key := range args {
			if err := stub.PutState(key, []byte("b")); err != nil {
				return nil, err
			}
		}
		if err := stub.FinishWriteBatch(); err != nil {
			return nil, err
		}
		values, err := stub.GetMultipleStates(args...)
		return []byte(fmt.Sprint(len(values))), err
	},
	"fail": func(shim.ChaincodeStubInterface, []string) ([]byte, error) {
		return nil, fmt.Errorf("as asked")
	},
	"reach": func(_ shim.ChaincodeStubInterface, args []string) ([]byte, error) {
		return os.ReadFile(strings.Join(args, "/"))
	},
	"loop": func(shim.ChaincodeStubInterface, []string) ([]byte, error) {
		for {
		}
	},
	"die": func(shim.ChaincodeStubInterface, []string) ([]byte, error) {
		os.Exit(3)
		return nil, nil
	},
}

func keysOf(rows shim.StateQueryIteratorInterface, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	keys := []string{}
	for rows.HasNext() {
		row, err := rows.Next()
		if err != nil {
			return nil, err
		}
		keys = append(keys, row.Key)
	}
	return json.Marshal(keys)
}

func main() {
	var err error
	if address := os.Getenv("CHAINCODE_SERVER_ADDRESS"); address != "" {
		server := shim.ChaincodeServer{
			CCID: os.Getenv("CHAINCODE_ID"), Address: address, CC: interop{},
			TLSProps: shim.TLSProperties{Disabled: true},
		}
		err = server.Start()
	} else {
		err = shim.Start(interop{})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
