package cognito

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

// What the user-pool API speaks: JSON 1.1 of the AWS protocols, the operation in a header.
const (
	// ContentType is the type of requests and answers.
	ContentType = "application/x-amz-json-1.1"
	// TargetHeader names the operation, behind TargetPrefix.
	TargetHeader = "X-Amz-Target"
	// TargetPrefix is the version of the API.
	TargetPrefix = "AWSCognitoIdentityProviderService."
	// ErrorHeader names the exception of an answer that is one; a ":" may follow.
	ErrorHeader = "X-Amzn-Errortype"
)

const (
	// operationTimeout bounds one call. It may wait for a Lambda trigger of the pool,
	// which has five seconds and is called up to three times. To give up before would have
	// the caller repeat what is being carried out: a second SignUp finds the name taken.
	operationTimeout = 20 * time.Second
	// maxOperationAnswer is the most that is read of an answer, in bytes. Sixty devices take 40 kB.
	maxOperationAnswer = 512 << 10
	// maxRefusalText is where the words of a refusal are cut, in bytes.
	maxRefusalText = 1024
)

// Refusal is the user pool's own no to an operation.
type Refusal struct {
	// Exception is its name, such as CodeMismatchException.
	Exception string
	// Message is what it says about it: foreign text, without control characters, for
	// whoever asked. It may come from a Lambda trigger.
	Message string
}

// Error implements error. The message is left out: it is not for logs.
func (e *Refusal) Error() string { return "refused: " + e.Exception }

// exceptions have a name of this form; what looks otherwise comes from something
// before the API.
var exceptions = regexp.MustCompile(`^[A-Z][A-Za-z]{1,60}Exception$`)

// Do makes one call of an operation that needs no signature, with all that it needs
// in input, and returns the members of the answer. Unlike the SDK's, the call is
// never repeated, as it may change something.
//
// Errors: *[Refusal], [oauth.ErrUnavailable].
func (a *API) Do(ctx context.Context, operation string, input map[string]any) (map[string]json.RawMessage, error) {
	bounded, cancel := context.WithTimeout(ctx, a.patience)
	defer cancel()
	began := time.Now()
	output, err := a.do(bounded, operation, input)
	if err != nil {
		err = fmt.Errorf("call %s: %w", operation, err)
	}
	a.observe(ctx, snake(operation), time.Since(began), err)
	return output, err
}

func (a *API) do(ctx context.Context, operation string, input map[string]any) (map[string]json.RawMessage, error) {
	body, err := json.Marshal(input)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.endpoint+"/", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", ContentType)
	req.Header.Set(TargetHeader, TargetPrefix+operation)
	res, err := a.http.Do(req)
	if err != nil {
		return nil, classify(ctx, err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxOperationAnswer+1))
	switch {
	case err != nil:
		return nil, classify(ctx, err)
	case len(answer) > maxOperationAnswer:
		return nil, fmt.Errorf("%w: answer too long", oauth.ErrUnavailable)
	}
	return readAnswer(res, answer)
}

// readAnswer sorts an answer: what was asked for, the pool's own no, or one of
// something else.
func readAnswer(res *http.Response, body []byte) (map[string]json.RawMessage, error) {
	var members map[string]json.RawMessage
	if res.StatusCode == http.StatusOK {
		if err := json.Unmarshal(body, &members); err != nil || members == nil {
			return nil, fmt.Errorf("%w: answered 200 and no JSON object", oauth.ErrUnavailable)
		}
		return members, nil
	}
	if refusal := readRefusal(res, body); refusal != nil {
		return nil, refusal
	}
	return nil, fmt.Errorf("%w: answered %d", oauth.ErrUnavailable, res.StatusCode)
}

// readRefusal returns the exception of an answer; nil if it has none, or one that
// says nothing about what was asked.
func readRefusal(res *http.Response, body []byte) *Refusal {
	var said struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	_ = json.Unmarshal(body, &said) // without a body the header may say it
	name := exceptionName(res.Header.Get(ErrorHeader))
	if name == "" {
		name = exceptionName(said.Type)
	}
	definite := res.StatusCode >= 400 && res.StatusCode <= 499
	if !definite || name == "" || name == "InternalErrorException" {
		return nil
	}
	return &Refusal{Exception: name, Message: plainText(said.Message)}
}

// exceptionName takes the name out of "ns#Name" and "Name:http://…".
func exceptionName(s string) string {
	s, _, _ = strings.Cut(s, ":")
	s = strings.TrimSpace(s[strings.LastIndexByte(s, '#')+1:])
	if !exceptions.MatchString(s) {
		return ""
	}
	return s
}

func plainText(s string) string {
	if len(s) > maxRefusalText {
		s = s[:maxRefusalText]
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}

// snake writes an operation's name as metrics have it: SetUserMFAPreference is
// set_user_mfa_preference.
func snake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		begins := unicode.IsUpper(r) && i > 0 &&
			(unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1]))
		if begins {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// MayMeanGone reports whether a refusal can mean that the access token which was
// sent is not good any more. It need not: a wrong password has the same name.
func (e *Refusal) MayMeanGone() bool { return gone[e.Exception] }
