package problem_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/problem"
)

// TestStepUp: a login navigation is sent to sign in again, others are told where.
func TestStepUp(t *testing.T) {
	for _, kind := range loginNavigations {
		w, _ := render(asked(kind, "/pay?x=1"), problem.StepUp(15*time.Minute))
		if got := w.Header().Get("Location"); w.Code != 302 || got != "/auth/login?max_age=900&prompt=login&return_to=%2Fpay%3Fx%3D1" {
			t.Errorf("%s: %d %q", kind, w.Code, got)
		}
	}
	for _, kind := range calls {
		w, _ := render(asked(kind, "/pay"), problem.StepUp(15*time.Minute))
		if w.Code != 403 || !strings.Contains(w.Body.String(), `"code":"step_up_required"`) ||
			!strings.Contains(w.Body.String(), `"loginUrl":"/auth/login?max_age=900\u0026prompt=login"`) {
			t.Errorf("%s: %d %s", kind, w.Code, w.Body)
		}
	}
	for _, kind := range pages {
		w, _ := render(asked(kind, "/pay"), problem.StepUp(15*time.Minute))
		if w.Code != 403 || kind != "head" && !strings.Contains(w.Body.String(), `href="/auth/login?max_age=900&amp;prompt=login`) {
			t.Errorf("%s: %d %s", kind, w.Code, w.Body)
		}
	}
}

// TestChallenge: who proves itself by a header is not helped by a login.
func TestChallenge(t *testing.T) {
	for _, e := range []*problem.Error{
		{Status: 401, Code: "unauthenticated", Public: "No token."}, problem.StepUp(time.Minute),
	} {
		e.Header = http.Header{"Www-Authenticate": {"Bearer"}}
		for _, kind := range append(loginNavigations, pages...) {
			w, _ := render(asked(kind, "/x"), e)
			if w.Code != e.Status || strings.Contains(w.Body.String(), "/auth/login") || w.Header().Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s: %d %v %s", kind, w.Code, w.Header(), w.Body)
			}
		}
	}
}
