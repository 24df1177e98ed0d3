package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
)

type sessionsListCmd struct {
	User string `help:"The user's sub." required:"" placeholder:"SUB"`
	adminFlags
}

// Run prints the list, page by page as they come; that it is empty is no failure.
func (c *sessionsListCmd) Run(ctx context.Context, p process) error {
	if err := wantSubject(c.User); err != nil {
		return err
	}
	print := printSessions
	if c.JSON {
		print = printArray
	}
	printed := 0
	for query := ""; ; {
		body, header, err := c.ask(ctx, p, http.MethodGet, userSessions(c.User)+query)
		if err != nil {
			return err
		}
		n, err := print(p.stdout, body, printed)
		if err != nil {
			return err
		}
		printed += n
		next := nextPage(header)
		if next == "" || next == query {
			return endList(p.stdout, c.JSON, printed)
		}
		query = next
	}
}

// nextPage is the query of the address that a Link header calls the next one
// (RFC 8288); empty where there is none. Its path is known, and behind a proxy may
// be another.
func nextPage(h http.Header) string {
	for _, link := range h.Values("Link") {
		address, parameters, _ := strings.Cut(strings.TrimPrefix(link, "<"), ">")
		_, query, found := strings.Cut(address, "?")
		if found && strings.Contains(parameters, `rel="next"`) {
			return "?" + query
		}
	}
	return ""
}

// printArray prints the elements of one page as a part of one JSON array.
func printArray(out io.Writer, body []byte, before int) (int, error) {
	var page []json.RawMessage
	if err := decodeAnswer(body, &page); err != nil {
		return 0, err
	}
	for i, element := range page {
		separator := ","
		if before+i == 0 {
			separator = "["
		}
		if _, err := fmt.Fprintf(out, "%s%s", separator, element); err != nil {
			return 0, err
		}
	}
	return len(page), nil
}

// endList prints what follows the last page.
func endList(out io.Writer, asJSON bool, printed int) (err error) {
	switch {
	case asJSON && printed == 0:
		_, err = fmt.Fprintln(out, "[]")
	case asJSON:
		_, err = fmt.Fprintln(out, "]")
	case printed == 0:
		_, err = fmt.Fprintln(out, "no sessions")
	}
	return err
}

// printSessions prints one page as rows of a table.
func printSessions(out io.Writer, body []byte, before int) (int, error) {
	var page []admin.Session
	if err := decodeAnswer(body, &page); err != nil {
		return 0, err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if before == 0 && len(page) > 0 {
		_, _ = fmt.Fprintln(w, "ID\tCREATED\tLAST SEEN\tADDRESS\tUSER AGENT") // Flush tells of errors
	}
	for _, s := range page {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", onTerminal(s.ID), clock(s.CreatedAt), clock(s.LastSeenAt),
			onTerminal(s.IP), shortened(onTerminal(s.UserAgent)))
	}
	return len(page), w.Flush()
}

func shortened(s string) string {
	const most = 60
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}
