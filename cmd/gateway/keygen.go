package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

type keygenCmd struct {
	File string `help:"Write the key to FILE, readable by its owner only, unless FILE exists; print nothing." placeholder:"FILE"`
}

// Help implements kong.HelpProvider.
func (keygenCmd) Help() string {
	return `Prints exactly one line: 32 random bytes in base64, as session.keys takes them. The first key of ` +
		`session.keys seals, all of them open: to roll a key over, add the new one last everywhere, then move it ` +
		`first everywhere, and remove the old one after session.absolute_timeout.`
}

// Run prints or writes one key.
func (c *keygenCmd) Run(p process) error {
	key := secret.NewKey() + "\n"
	if c.File == "" {
		_, err := fmt.Fprint(p.stdout, key)
		return err
	}
	f, err := os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil // a key in use is never overwritten
	}
	if err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	_, err = f.WriteString(key)
	return errors.Join(err, f.Close())
}
