package oauth

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// Revoke ends the refresh token of t, and with it the access tokens it gave (RFC
// 7009). A token that the provider does not know counts as ended; no token is
// nothing to do.
//
// Errors: [ErrMisconfigured] (the client is refused, or revocation is switched
// off for it; the token is another issuer's, and nobody is asked), [ErrUnavailable].
func (c *Client) Revoke(ctx context.Context, t Tokens) error {
	if t.Refresh.Empty() {
		return nil
	}
	if err := c.checkOwn(t); err != nil {
		return fmt.Errorf("revoke refresh token: %w", err)
	}
	began := time.Now()
	err := c.revoke(ctx, t.Refresh)
	c.opts.Observe(ctx, "revoke", time.Since(began), err)
	return err
}

func (c *Client) revoke(ctx context.Context, refresh secret.Text) error {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	res, err := c.postRevocation(ctx, refresh)
	if err != nil {
		return fmt.Errorf("revoke refresh token: %w: %w", ErrUnavailable, cause(ctx, err))
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	switch {
	case res.StatusCode == http.StatusOK:
		return nil // whatever the body: the status is the answer
	case err != nil:
		return fmt.Errorf("revoke refresh token: %w: %w", ErrUnavailable, cause(ctx, err))
	}
	var answer struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Error == "invalid_grant" {
		answer.Error = "" // RFC 7009 has no such answer
	}
	return fmt.Errorf("revoke refresh token: %w", c.classify(c.opts.RevokeURL, fault{status: res.StatusCode, code: answer.Error}))
}

func (c *Client) postRevocation(ctx context.Context, refresh secret.Text) (*http.Response, error) {
	form := url.Values{"token": {refresh.Reveal()}}
	if c.opts.ClientSecret.Empty() {
		form.Set("client_id", c.opts.ClientID)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.opts.RevokeURL, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if !c.opts.ClientSecret.Empty() {
		// Both are form-encoded first (RFC 6749 §2.3.1).
		req.SetBasicAuth(url.QueryEscape(c.opts.ClientID), url.QueryEscape(c.opts.ClientSecret.Reveal()))
	}
	return c.http.Do(req)
}
