package tickets

import (
	"context"

	"signalbox/diagram"
	"signalbox/ticket"
)

// Draw draws the process of a ticket with what is done, current, skipped and cancelled marked. It serves as Config.Diagram. It fails where the
// ticket's process is not known to this build.
func Draw(_ context.Context, t ticket.Ticket) (svg []byte, err error) {
	process, err := t.Process()
	if err != nil {
		return nil, err
	}
	return diagram.Draw(process.Definition(), &t.Position).Bytes, nil
}
