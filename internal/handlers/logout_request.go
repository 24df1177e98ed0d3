package handlers

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/fetchmeta"
	"github.com/gatehouse-auth/gatehouse/internal/problem"
)

// maxLogoutBody leaves room for any address that a request could be for, in
// whatever encoding.
const maxLogoutBody = 64 << 10

// logoutRequest is what a sign-out asks for.
type logoutRequest struct {
	Global   bool        `json:"global"`
	ReturnTo wishedPlace `json:"returnTo"`
}

// wishedPlace is the address that a sign-out asks to end at. A value that is not one
// string is noted as malformed and is no error of the body: nobody stays signed in
// because of it.
type wishedPlace struct {
	address   string
	malformed bool
}

// UnmarshalJSON implements [json.Unmarshaler].
func (p *wishedPlace) UnmarshalJSON(b []byte) error {
	p.malformed = json.Unmarshal(b, &p.address) != nil
	return nil
}

// readLogout reads the JSON or form body; none at all is fine.
func readLogout(w http.ResponseWriter, r *http.Request) (logoutRequest, error) {
	var req logoutRequest
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxLogoutBody))
	if err != nil {
		return req, badRequest("invalid_body", "The body is too large or incomplete.")
	}
	if len(body) == 0 {
		return req, nil
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err == nil && kind == "application/json":
		if err := json.Unmarshal(body, &req); err != nil {
			return req, badRequest("invalid_body", `The body must be like {"global":false,"returnTo":"/"}.`)
		}
	case err == nil && kind == "application/x-www-form-urlencoded":
		return readLogoutForm(string(body))
	default:
		return req, &problem.Error{Status: http.StatusUnsupportedMediaType, Code: "unsupported_media_type",
			Public: "Send JSON or a form."}
	}
	return req, nil
}

func readLogoutForm(body string) (logoutRequest, error) {
	fields, unreadable := cutUnreadablePlace(body)
	form, err := url.ParseQuery(fields)
	if err != nil || len(form["global"]) > 1 {
		return logoutRequest{}, badRequest("invalid_body", "The form is malformed, or repeats the field global.")
	}
	req := logoutRequest{ReturnTo: wishedPlace{form.Get("returnTo"), unreadable || len(form["returnTo"]) > 1}}
	switch form.Get("global") {
	case "", "false", "0", "off":
	case "true", "1", "on":
		req.Global = true
	default:
		return req, badRequest("invalid_body", "The field global takes true or false.")
	}
	return req, nil
}

// cutUnreadablePlace takes a returnTo out of a form that is not encoded as forms
// are, such as "/100%" or "/a;b" written by hand: that is an address to refuse, and
// the rest of the form is good.
func cutUnreadablePlace(body string) (rest string, cut bool) {
	fields := strings.Split(body, "&")
	kept := slices.DeleteFunc(slices.Clone(fields), func(field string) bool {
		_, err := url.ParseQuery(field)
		return err != nil && strings.HasPrefix(field, "returnTo=")
	})
	return strings.Join(kept, "&"), len(kept) < len(fields)
}

// wantsRedirect tells a form from a fetch: by fetch metadata, else by the body.
func wantsRedirect(r *http.Request) bool {
	if fetchmeta.Present(r) {
		return fetchmeta.Navigation(r)
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == "application/x-www-form-urlencoded"
}
