package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
)

type sessionsCmd struct {
	List   sessionsListCmd   `cmd:"" help:"List the sessions of a user, newest first."`
	Revoke sessionsRevokeCmd `cmd:"" help:"End the sessions of a user, or one session by its id."`
	Stats  sessionsStatsCmd  `cmd:"" help:"Show version, uptime, store and number of sessions of a running gateway."`
}

// Help implements kong.HelpProvider.
func (sessionsCmd) Help() string {
	return `Asks a running gateway, through the admin API of its admin_listen. SUB is the user's "sub" claim: ` +
		`/auth/session shows it as userSub, every log line as subject. What is ended here is ended on all ` +
		`instances that share the store; the sign-in at Cognito is not (aws cognito-idp admin-user-global-sign-out).

  gateway sessions list --user 2f6a… --config gatehouse.yaml
  gateway sessions revoke --id Ff0… --admin http://10.0.3.7:9090 --token-file admin.token`
}

func clock(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }

// onTerminal makes a text from elsewhere fit for a terminal: escape sequences
// that a browser put into its User-Agent must not act on the operator's.
func onTerminal(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

type sessionsRevokeCmd struct {
	User string `help:"End every session of the user with this sub." xor:"which" required:"" placeholder:"SUB"`
	ID   string `name:"id" help:"End the session with this id; \"list\" and the log show ids." xor:"which" required:"" placeholder:"ID"`
	adminFlags
}

// Run ends what it was told. A session that is gone already is no failure.
func (c *sessionsRevokeCmd) Run(ctx context.Context, p process) error {
	if c.ID != "" {
		return c.revokeID(ctx, p)
	}
	if err := wantSubject(c.User); err != nil {
		return err
	}
	body, err := c.call(ctx, p, http.MethodDelete, userSessions(c.User))
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w; the gateway goes on ending them: \"list\" shows whether any are left", err)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return printBody(p, body)
	}
	var answer admin.UserEnd
	if err := decodeAnswer(body, &answer); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "ended %s\nat the user pool: %s\n", count(answer.Ended, "session"), poolSignOut(answer.GlobalSignOut))
	return err
}

// poolSignOut words what became of the user's sign-in at Cognito, and what to do.
func poolSignOut(outcome admin.SignOut) string {
	switch outcome {
	case admin.SignOutDone:
		return "signed out everywhere"
	case admin.SignOutNoCredentials:
		return "nothing done, the gateway has no AWS credentials (see: aws cognito-idp admin-user-global-sign-out)"
	case admin.SignOutUnknownUser:
		return "no user of that name"
	default:
		return "not signed out, the gateway's log says why"
	}
}

func (c *sessionsRevokeCmd) revokeID(ctx context.Context, p process) error {
	if _, err := c.call(ctx, p, http.MethodDelete, "/admin/sessions/"+url.PathEscape(c.ID)); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(p.stdout).Encode(map[string]string{"id": c.ID})
	}
	_, err := fmt.Fprintf(p.stdout, "ended: session %s is over on every instance that shares the store\n", onTerminal(c.ID))
	return err
}

type sessionsStatsCmd struct{ adminFlags }

// Run prints what the gateway says of itself.
func (c *sessionsStatsCmd) Run(ctx context.Context, p process) error {
	body, err := c.call(ctx, p, http.MethodGet, "/admin/stats")
	if err != nil {
		return err
	}
	if c.JSON {
		return printBody(p, body)
	}
	var stats admin.Stats
	if err := decodeAnswer(body, &stats); err != nil {
		return err
	}
	state := fmt.Sprintf("answers in %.1f ms", stats.Store.Milliseconds)
	if !stats.Store.Available {
		state = "takes no sessions, /readyz says why"
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(w, "version\t%s, commit %s\nup\t%s, since %s\nstore\t%s, %s\n", onTerminal(stats.Version), onTerminal(stats.Commit),
		time.Duration(stats.UptimeSeconds)*time.Second, clock(stats.StartedAt), onTerminal(stats.Store.Kind), state)
	if n := stats.Sessions; n != nil {
		_, _ = fmt.Fprintf(w, "sessions\t%d, counted at %s\n", n.Count, clock(n.CountedAt))
	}
	return w.Flush()
}

// wantSubject refuses what is no sub but an address, which a user is better known
// by: asked for that, the gateway would say that there are no sessions.
func wantSubject(user string) error {
	const how = `shown by /auth/session as userSub, in the log as subject, and by
  aws cognito-idp list-users --user-pool-id POOL --filter 'email = "ADDRESS"'`
	switch {
	case user == "":
		return usagef("--user takes the user's sub, %s", how)
	case strings.Contains(user, "@"):
		return usagef("--user takes the user's sub, not an e-mail address. It is %s", how)
	}
	return nil
}

func userSessions(subject string) string {
	return "/admin/users/" + url.PathEscape(subject) + "/sessions"
}

func printBody(p process, body []byte) error {
	_, err := p.stdout.Write(body)
	return err
}

func decodeAnswer(body []byte, v any) error {
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("read the admin API's answer: %w", err)
	}
	return nil
}
