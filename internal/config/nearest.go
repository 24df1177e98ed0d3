package config

import "strings"

// nearest returns the candidate spelled most like name, or "" where none is near
// enough to be what was meant: a quarter of the letters may differ.
func nearest(name string, candidates []string) string {
	name = strings.ToLower(name)
	best, limit := "", len(strings.TrimPrefix(name, strings.ToLower(envPrefix)))/4+1
	for _, c := range candidates {
		if d := distance(name, strings.ToLower(c)); d <= limit {
			best, limit = c, d-1
		}
	}
	return best
}

// begun returns the one candidate that begins with name, of which the rest was left out;
// "" where there is none, or several.
func begun(name string, candidates []string) string {
	found := ""
	for _, c := range candidates {
		switch {
		case len(name) < 3 || !strings.HasPrefix(c, name):
		case found != "":
			return ""
		default:
			found = c
		}
	}
	return found
}

// distance counts the insertions, deletions, substitutions and swaps of
// neighbours between a and b (optimal string alignment).
func distance(a, b string) int {
	older, old, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		old[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			substitution := old[j-1]
			if a[i-1] != b[j-1] {
				substitution++
			}
			row[j] = min(old[j]+1, row[j-1]+1, substitution)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], older[j-2]+1)
			}
		}
		older, old, row = old, row, older
	}
	return old[len(b)]
}
