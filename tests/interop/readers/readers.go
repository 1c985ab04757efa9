// SPDX-License-Identifier: Apache-2.0

// Readers reads texts with the readers that Fabric's own programs use, so that ours can be compared with them.
//
// It is built inside Fabric's source tree. Each line of standard input is a JSON object {"reader", "text"}; each line
// of standard output tells what became of it: {"value"} or {"error"}.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/template"
	"time"

	"github.com/hyperledger/fabric/cmd/common"
	"github.com/hyperledger/fabric/common/policydsl"
	"github.com/hyperledger/fabric/common/viperutil"
	"github.com/hyperledger/fabric/internal/configtxgen/genesisconfig"
	peercommon "github.com/hyperledger/fabric/internal/peer/common"
	"github.com/hyperledger/fabric/msp"
	"github.com/hyperledger/fabric/orderer/common/localconfig"
	"github.com/spf13/viper"
	"go.yaml.in/yaml/v4"
	"google.golang.org/protobuf/proto"
)

// The structures of cryptogen, whose package is a program and cannot be imported.
type nodeTemplate struct {
	Count              int      `yaml:"Count"`
	Start              int      `yaml:"Start"`
	Hostname           string   `yaml:"Hostname"`
	SANS               []string `yaml:"SANS"`
	PublicKeyAlgorithm string   `yaml:"PublicKeyAlgorithm"`
}

type nodeSpec struct {
	Hostname           string   `yaml:"Hostname"`
	CommonName         string   `yaml:"CommonName"`
	Country            string   `yaml:"Country"`
	Province           string   `yaml:"Province"`
	Locality           string   `yaml:"Locality"`
	OrganizationalUnit string   `yaml:"OrganizationalUnit"`
	StreetAddress      string   `yaml:"StreetAddress"`
	PostalCode         string   `yaml:"PostalCode"`
	SANS               []string `yaml:"SANS"`
	PublicKeyAlgorithm string   `yaml:"PublicKeyAlgorithm"`
}

type usersSpec struct {
	Count              int    `yaml:"Count"`
	PublicKeyAlgorithm string `yaml:"PublicKeyAlgorithm"`
}

type orgSpec struct {
	Name          string       `yaml:"Name"`
	Domain        string       `yaml:"Domain"`
	EnableNodeOUs bool         `yaml:"EnableNodeOUs"`
	CA            nodeSpec     `yaml:"CA"`
	Template      nodeTemplate `yaml:"Template"`
	Specs         []nodeSpec   `yaml:"Specs"`
	Users         usersSpec    `yaml:"Users"`
}

type cryptoConfig struct {
	OrdererOrgs []orgSpec `yaml:"OrdererOrgs"`
	PeerOrgs    []orgSpec `yaml:"PeerOrgs"`
}

type HostnameData struct {
	Prefix string
	Index  int
	Domain string
}

type SpecData struct {
	Hostname   string
	Domain     string
	CommonName string
}

func crypto(text string) (any, error) {
	config := &cryptoConfig{}
	err := yaml.Unmarshal([]byte(text), &config)
	if err == nil && config == nil {
		return nil, fmt.Errorf("a null document")
	}
	return config, err
}

func mspConfig(text string) (any, error) {
	config := msp.Configuration{}
	err := yaml.Unmarshal([]byte(text), &config)
	return config, err
}

func discoverConfig(text string) (any, error) {
	config := common.Config{}
	err := yaml.Unmarshal([]byte(text), &config)
	return config, err
}

func profile(text string) (any, error) {
	config := &peercommon.NetworkConfig{}
	err := yaml.Unmarshal([]byte(text), &config)
	if err == nil && config == nil {
		return nil, fmt.Errorf("a null document")
	}
	return config, err
}

func generic(text string) (any, error) {
	value := map[string]any{}
	err := yaml.NewDecoder(strings.NewReader(text)).Decode(value)
	return fmt.Sprintf("%#v", value), err
}

func configtx(text string) (any, error) {
	parser := viperutil.New()
	parser.SetConfigName("configtx")
	if err := parser.ReadConfig(strings.NewReader(text)); err != nil {
		return nil, err
	}
	top := &genesisconfig.TopLevel{}
	err := parser.EnhancedExactUnmarshal(top)
	return top, err
}

func orderer(text string) (any, error) {
	parser := viperutil.New()
	parser.SetConfigName("orderer")
	if err := parser.ReadConfig(strings.NewReader(text)); err != nil {
		return nil, err
	}
	top := &localconfig.TopLevel{}
	err := parser.EnhancedExactUnmarshal(top)
	top.General.BCCSP = nil
	return top, err
}

// core reads the key "key" of a core.yaml in each of the ways in which Fabric's peer reads keys.
func core(text string) (any, error) {
	v := viper.New()
	v.SetConfigType("yaml")
	v.SetEnvPrefix("CORE")
	v.AllowEmptyEnv(true)
	v.AutomaticEnv()
	v.SetEnvKeyReplacer(strings.NewReplacer(".", "_"))
	if err := v.ReadConfig(strings.NewReader(text)); err != nil {
		return nil, err
	}
	return map[string]any{
		"string": v.GetString("key"), "bool": v.GetBool("key"), "int": v.GetInt("key"),
		"duration": int64(v.GetDuration("key")), "strings": v.GetStringSlice("key"), "set": v.IsSet("key"),
	}, nil
}

func duration(text string) (any, error) {
	d, err := time.ParseDuration(text)
	return []string{fmt.Sprint(int64(d)), d.String()}, err
}

func policy(text string) (any, error) {
	envelope, err := policydsl.FromString(text)
	if err != nil {
		return nil, err
	}
	encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(envelope)
	return encoded, err
}

func fill(text string, data any) (any, error) {
	parsed, err := template.New("parse").Parse(text)
	if err != nil {
		return nil, err
	}
	output := new(bytes.Buffer)
	err = parsed.Execute(output, data)
	return output.Bytes(), err
}

func hostname(text string) (any, error) {
	return fill(text, HostnameData{Prefix: "peer", Index: 7, Domain: "a.test"})
}

func name(text string) (any, error) {
	return fill(text, SpecData{Hostname: "p0", Domain: "a.test", CommonName: "p0.a.test"})
}

var readers = map[string]func(string) (any, error){
	"crypto": crypto, "msp": mspConfig, "discover": discoverConfig, "profile": profile, "generic": generic, "configtx": configtx,
	"orderer": orderer, "core": core, "duration": duration, "policy": policy, "hostname": hostname, "name": name,
}

func answer(reader, text string) (value any, err error) {
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("panic: %v", problem)
		}
	}()
	return readers[reader](text)
}

func main() {
	lines := bufio.NewReader(os.Stdin)
	output := json.NewEncoder(os.Stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var asked struct{ Reader, Text string }
		if err := json.Unmarshal(line, &asked); err != nil {
			panic(err)
		}
		text, err := base64.StdEncoding.DecodeString(asked.Text)
		if err != nil {
			panic(err)
		}
		value, err := answer(asked.Reader, string(text))
		said := map[string]any{"value": value}
		if err != nil {
			said = map[string]any{"error": err.Error()}
		}
		if err := output.Encode(said); err != nil {
			panic(err)
		}
	}
}
