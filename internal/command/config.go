package command

import (
	"fmt"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/server"
)

type configCmd struct {
	Check  configCheckCmd  `cmd:"" help:"Report every fault of a configuration at once, with line, key and what would be accepted."`
	Print  configPrintCmd  `cmd:"" help:"Print the resolved configuration, secrets masked."`
	Schema configSchemaCmd `cmd:"" help:"Print the JSON Schema of the configuration, for editors."`
}

type configCheckCmd struct {
	Config string `help:"Configuration file. Without one everything comes from GATEHOUSE_* variables." placeholder:"FILE"`
}

// Run checks, and shows the routes as they are understood; faults are the error.
func (c *configCheckCmd) Run(p process) error {
	cfg, err := load(c.Config, p)
	if err != nil {
		return err
	}
	routes, err := server.ListRoutes(cfg)
	if err != nil {
		return usageError{err}
	}
	warn(p, slices.Concat(cfg.Warnings, routes.Warnings))
	if err := routes.Print(p.stdout); err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.stdout, "configuration ok")
	return err
}

type configPrintCmd struct {
	Config string `help:"Configuration file. Without one everything comes from GATEHOUSE_* variables." placeholder:"FILE"`
}

// Run prints the configuration as it would be used.
func (c *configPrintCmd) Run(p process) error {
	cfg, err := load(c.Config, p)
	if err != nil {
		return err
	}
	warn(p, cfg.Warnings)
	return cfg.Print(p.stdout)
}

type configSchemaCmd struct{}

// Help implements kong.HelpProvider.
func (configSchemaCmd) Help() string {
	return `An editor that knows YAML schemas completes and checks a configuration that begins with

  # yaml-language-server: $schema=./gatehouse.schema.json`
}

// Run prints the schema.
func (configSchemaCmd) Run(p process) error {
	schema, err := config.Schema(p.schemes())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s\n", schema)
	return err
}
