// SPDX-License-Identifier: Apache-2.0

// Reads gzipped tars as Go does: each comes as a line of base64, and becomes a line that tells its
// entries (name and content in hexadecimal, type, mode, size) and the error that ended it.
package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
)

type entry struct {
	Name    []byte
	Type    byte
	Mode    int64
	Size    int64
	Content []byte
}

type told struct {
	Entries []entry
	Error   string
}

func read(data []byte) told {
	var result told
	inflated, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		result.Error = err.Error()
		return result
	}
	archive := tar.NewReader(inflated)
	for {
		header, err := archive.Next()
		if err == io.EOF {
			return result
		}
		if err == nil {
			hash := sha256.New()
			_, err = io.Copy(hash, archive)
			if err == nil {
				result.Entries = append(result.Entries, entry{[]byte(header.Name), header.Typeflag, header.Mode, header.Size, hash.Sum(nil)})
				continue
			}
		}
		result.Error = err.Error()
		return result
	}
}

func main() {
	lines := bufio.NewReader(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		data, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(line)))
		if err != nil {
			panic(err)
		}
		out.Encode(read(data))
	}
}
