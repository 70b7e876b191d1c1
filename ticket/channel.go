package ticket

// Channel is the way a request came in. It is stored and told as "door".
type Channel string

const (
	ChannelIssue     Channel = "issue"
	ChannelIncident  Channel = "incident"
	ChannelITSM      Channel = "itsm"
	ChannelPublish   Channel = "publish"
	ChannelException Channel = "exception"
	ChannelPages     Channel = "pages"  // the pages, on which people act under their own name
	ChannelSCIM      Channel = "scim"   // identity providers, which keep a directory; they ask nothing of tickets
	ChannelCodec     Channel = "codec"  // Temporal's web UI, which has payloads decrypted; it asks nothing of tickets
	ChannelSignal    Channel = "signal" // Temporal's UI, its CLI, other workflows
	ChannelSystem    Channel = "system" // Signalbox itself: deadlines, automatic nodes
)

// reach is how callers come to a channel.
type reach int

const (
	within   reach = iota // by no call of the API
	pages                 // by the forms of the pages
	calls                 // by calls of the API that ask nothing of tickets
	families              // by a family's calls
)

// channels is the one list of them, in the order in which they are shown. What there is for each channel elsewhere is made from it, or held
// to it by a test that names what is missing: docs/recipes.md, "family".
var channels = []struct {
	channel Channel
	title   string
	reach   reach
}{
	{ChannelIssue, "issue API", families},
	{ChannelIncident, "incident API", families},
	{ChannelITSM, "ITSM API", families},
	{ChannelPublish, "publish API", families},
	{ChannelException, "exception API", families},
	{ChannelSCIM, "SCIM", calls},
	{ChannelCodec, "codec server", calls},
	{ChannelPages, "pages", pages},
	{ChannelSignal, "Temporal signal", within},
	{ChannelSystem, "Signalbox itself", within},
}

// Families lists the channels that are families of calls. Each has a folder under api, and an OpenAPI document, of its name.
func Families() []Channel { return from(families) }

// CalledChannels lists the channels that requests to the API come through, families first. Each has a folder under api of its name.
func CalledChannels() []Channel { return from(calls) }

// AuditedChannels lists the channels that somebody's requests come through, families first: those that the audit can name.
func AuditedChannels() []Channel { return from(pages) }

// Channels lists all of them.
func Channels() []Channel { return from(within) }

func from(least reach) (all []Channel) {
	for _, c := range channels {
		if c.reach >= least {
			all = append(all, c.channel)
		}
	}
	return all
}

// Title is what people are shown for the channel; empty for one that is not in the list.
func (c Channel) Title() string {
	for _, known := range channels {
		if known.channel == c {
			return known.title
		}
	}
	return ""
}
