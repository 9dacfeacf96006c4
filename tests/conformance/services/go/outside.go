// The world outside the journal: effects that are counted, and gates that hold a handler up.
// Both are files, so a killed endpoint forgets nothing and the tests can read and open them.
package main

import (
	"bytes"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const lookAgain = 20 * time.Millisecond // a file has no event to wait for

// file names what Python's urllib.parse.quote(tag, safe="") names, so that all languages agree.
func file(kind, tag string) string {
	quoted := strings.ReplaceAll(url.QueryEscape(tag), "+", "%20")
	return filepath.Join(os.Getenv("CONFORMANCE_OUTSIDE"), kind, quoted)
}

// effect appends one line under a tag and counts the lines, this one included.
func effect(tag, text string) (int, error) {
	lines, err := os.OpenFile(file("effects", tag), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	defer lines.Close()
	if _, err := lines.WriteString(strings.ReplaceAll(text, "\n", " ") + "\n"); err != nil {
		return 0, err
	}
	written, err := os.ReadFile(lines.Name())
	return bytes.Count(written, []byte("\n")), err
}

// gate holds this handler up, with nothing journaled, until the test opens it.
func gate(name string) {
	for {
		if _, err := os.Stat(file("gates", name)); err == nil {
			return
		}
		time.Sleep(lookAgain)
	}
}
