package embedded

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql"
	postgresschema "go.temporal.io/server/schema/postgresql/v12"
	"go.temporal.io/server/tools/common/schema"
	sqltool "go.temporal.io/server/tools/sql"
)

// postgresConnections is how many connections the server opens to each of its databases, as Temporal's own example has it.
const postgresConnections = 20

// openPostgres makes sure that the databases "temporal" and "temporal_visibility" exist at an address, with the schemas of this build, and
// describes both to the server.
func openPostgres(ctx context.Context, address string) (main, visibility *config.SQL, err error) {
	if main, err = postgresDatabase(ctx, address, "temporal", "postgresql/v12/temporal", postgresschema.Version); err != nil {
		return nil, nil, err
	}
	visibility, err = postgresDatabase(ctx, address, "temporal_visibility", "postgresql/v12/visibility", postgresschema.VisibilityVersion)
	return main, visibility, err
}

func postgresDatabase(ctx context.Context, address, name, files, version string) (_ *config.SQL, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("the address of PostgreSQL is no URL")
	}
	password, _ := u.User.Password()
	conf := &config.SQL{PluginName: postgresql.PluginNamePGX, ConnectAddr: u.Host, ConnectProtocol: "tcp", User: u.User.Username(), Password: password,
		DatabaseName: name, MaxConns: postgresConnections, MaxIdleConns: postgresConnections}
	server := *conf
	server.DatabaseName = "postgres"
	admin, err := sqltool.NewConnection(&server, log.NewNoopLogger())
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	err = admin.CreateDatabase(name) // does nothing where it exists
	admin.Close()
	if err != nil {
		return nil, fmt.Errorf("make the database %s: %w", name, err)
	}
	db, err := sqltool.NewConnection(conf, log.NewNoopLogger())
	if err != nil {
		return nil, fmt.Errorf("connect to the database %s: %w", name, err)
	}
	defer db.Close()
	if found, err := db.ReadSchemaVersion(); err == nil {
		if found != version {
			return nil, fmt.Errorf("database %s: its schema is %s and this build needs %s", name, found, version)
		}
		return conf, ctx.Err()
	}
	if err := schema.NewSetupSchemaTask(db, &schema.SetupConfig{SchemaName: files, InitialVersion: version}, log.NewNoopLogger()).Run(); err != nil {
		return nil, fmt.Errorf("database %s: create the schema: %w", name, err)
	}
	return conf, ctx.Err()
}
