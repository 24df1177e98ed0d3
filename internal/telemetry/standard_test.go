package telemetry

import (
	"bytes"
	"encoding/json"
	"log"
	"os"
	"strings"
	"testing"
)

func TestTakeStandardLog(t *testing.T) {
	flags := log.Flags()
	t.Cleanup(func() { log.SetFlags(flags); log.SetOutput(os.Stderr) })
	var out bytes.Buffer
	l, err := NewLogger(&out, "debug", "json")
	if err != nil {
		t.Fatal(err)
	}
	TakeStandardLog(l)
	log.Printf("Unsolicited response received: %q", "Set-Cookie: sid=secret")
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil || line["bytes"] == nil {
		t.Errorf("printed %q: %v", out.String(), err)
	}
	if strings.Contains(out.String(), "secret") {
		t.Errorf("the text is in the log: %s", out.String())
	}
}
