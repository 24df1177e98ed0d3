package command

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

type keygenCmd struct {
	Out  string `short:"o" help:"Write the key to a new FILE that only its owner can read, and print nothing." placeholder:"FILE"`
	Keep bool   `help:"With --out: leave a FILE that is there already as it is; for scripts that run at each start."`
}

// Help implements kong.HelpProvider.
func (keygenCmd) Help() string {
	return `Prints exactly one line: 32 random bytes in base64, as session.keys takes them. The first key of ` +
		`session.keys seals, all of them open: to roll a key over, add the new one last everywhere, then move it ` +
		`first everywhere, and remove the old one after session.absolute_timeout.

  gateway keygen --out session.keys`
}

// Run prints or writes one key.
func (c *keygenCmd) Run(p process) error {
	if c.Out == "" {
		if c.Keep {
			return usagef("--keep goes with --out FILE")
		}
		warnOfReaders(p)
		return printKey(p.stdout)
	}
	f, err := os.OpenFile(c.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		if c.Keep {
			return nil
		}
		return fmt.Errorf("%s is there already, and is left as it is: whoever is signed in by its key would be out", c.Out)
	}
	if err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	return errors.Join(printKey(f), f.Close())
}

func printKey(w io.Writer) error {
	_, err := fmt.Fprintln(w, secret.NewKey())
	return err
}

// warnOfReaders speaks up where a shell has opened a file for the key, as it
// opens any: for everybody to read.
func warnOfReaders(p process) {
	f, isFile := p.stdout.(*os.File)
	if !isFile {
		return
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && readableByAll(info) {
		_, _ = fmt.Fprintln(p.stderr, "gateway: warning: every user of this machine can read the file that the key goes to: "+
			"chmod 600 it, or use gateway keygen --out FILE")
	}
}
