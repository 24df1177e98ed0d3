package config

import "time"

// maxRate is how many requests a second are told apart.
const maxRate = 10_000

// longestRest is after how long without a request all of a burst passes again.
const longestRest = 30 * day

// checkRouteRate refuses a rate that limits nothing, or cannot be counted.
func (l *loader) checkRouteRate(s *scope, r *Route) {
	const section, requests, per, by = routePrefix + "rate_limit.", "rate_limit.requests", "rate_limit.per", "rate_limit.by"
	rate := r.RateLimit
	_, limited := s.given[section+"requests"]
	for _, name := range []string{"per", "burst", "by"} {
		if _, given := s.given[section+name]; given && !limited && s.sound(requests) {
			l.reject(s, "rate_limit."+name, -1, curef("requests beside it, how many pass in %s: without it there is no limit", FormatDuration(rate.Per)))
			return
		}
	}
	if rate.Requests == 0 || !s.sound(requests, per) {
		return
	}
	if rate.Per%time.Second != 0 {
		l.reject(s, per, -1, cure("whole seconds"))
	} else if most := int(rate.Per/time.Second) * maxRate; rate.Requests > most {
		l.reject(s, requests, -1, curef("at most %d in %s", most, FormatDuration(rate.Per)))
	} else if most := int(float64(rate.Requests) * float64(longestRest) / float64(rate.Per)); rate.Burst > most && s.sound("rate_limit.burst") {
		l.reject(s, "rate_limit.burst", -1, curef("at most %d, which is what the rate gives back in 30 days", most))
	}
	if rate.By == "user" && r.Auth == "none" && s.sound(by, "auth") {
		l.reject(s, by, -1, cure("address or route: with auth none nobody is known"))
	}
}
