package oauth

import (
	"encoding/json"
	"testing"
)

func TestMembers(t *testing.T) {
	m := ParseMembers(json.RawMessage(`{"text":"x","number":12345678901234567,"list":["a","b"],"null":null,"Text":"y"}`))
	for name, want := range map[string]string{"text": "x", "Text": "y", "TEXT": "", "number": "", "list": "", "null": "", "none": ""} {
		if got := m.Text(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if n, _ := m["number"].(json.Number); n.String() != "12345678901234567" {
		t.Errorf("a number is %v", m["number"])
	}
	for _, payload := range []string{"", "{", "[]", `"x"`, "null", "5"} {
		if m := ParseMembers(json.RawMessage(payload)); m.Text("x") != "" || len(m) != 0 {
			t.Errorf("%q has the members %v", payload, m)
		}
	}
}
