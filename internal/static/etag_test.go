package static

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// A file that is closed cannot be read again: a tag that comes all the same was
// remembered.
func TestTag_is_made_once_for_a_version(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "app.js"), []byte("app"), 0o644); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	again := func(t *testing.T) error {
		cache := newTagCache()
		file, err := open(root, "app.js")
		if err != nil {
			t.Fatal(err)
		}
		if _, err = cache.tag(t.Context(), file); err != nil {
			t.Fatal(err)
		}
		if err = file.Close(); err != nil {
			t.Fatal(err)
		}
		_, err = cache.tag(t.Context(), file)
		return err
	}
	if again(t) == nil {
		t.Error("remembered while the next change may bear the same time")
	}
	if changeTime(mustStat(t, root)).IsZero() {
		return // no system's time to go by
	}
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(100 * 365 * 24 * time.Hour)
		if err := again(t); err != nil {
			t.Errorf("made again: %v", err)
		}
	})
}

func mustStat(t *testing.T, root *os.Root) os.FileInfo {
	t.Helper()
	info, err := root.Stat("app.js")
	if err != nil {
		t.Fatal(err)
	}
	return info
}
