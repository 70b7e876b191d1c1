package ticket

import (
	"errors"
	"fmt"
	"time"

	"signalbox/flow"
)

// MigrationTrial is what a migration would do.
type MigrationTrial struct {
	Reasons []flow.Reason // why it is not possible; none: it is
	After   Ticket        // the ticket afterwards, where it is possible
}

// Possible reports whether the ticket can be migrated.
func (m MigrationTrial) Possible() bool { return len(m.Reasons) == 0 }

// TryMigration tells what a command that migrates the ticket, and that Check has passed, would do at that moment, by the very rules that would do it: with every reason
// where it is refused. It changes nothing.
func (t Ticket) TryMigration(c Command, at time.Time) (MigrationTrial, error) {
	events, err := DecideChecked(t, c, at)
	if why := AsError(err); why != nil {
		_, reasons, err := t.Migrated(*c.Migration, at)
		if err != nil {
			return MigrationTrial{}, fmt.Errorf("look for reasons: %w", err)
		}
		if why.Field != "nodes" || len(reasons) == 0 {
			reasons = []flow.Reason{{Message: why.Error()}} // something else than where the ticket stands
		}
		return MigrationTrial{Reasons: reasons}, nil
	}
	if err != nil || len(events) == 0 {
		return MigrationTrial{}, errors.Join(err, errNothingMoved)
	}
	return MigrationTrial{After: Fold(t, events)}, nil
}

var errNothingMoved = errors.New("a migration that was not refused caused nothing")
