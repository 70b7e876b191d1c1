package notice_test

import (
	"strings"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signalbox/notice"
	"signalbox/ticket"
)

func TestPublishedBodiesToTheByte(t *testing.T) {
	p := notice.Published{RequestID: "b372be68-6fa6-4590-b927-a4096e6a05e6", Source: "a", Topic: "gs", Type: "cert", Status: "1", Key: "a.gs.cert.1", Changes: []string{"id1", "<id2>"}}
	body, ok := notice.RenderPublished(notice.FormatPublish, p)
	require.True(t, ok)
	require.Equal(t, `{"event_source":"a","event_topic":"gs","event_type":"cert","event_status":"1","event_key":"a.gs.cert.1","changes":["id1","<id2>"]}`, string(body))
	body, ok = notice.RenderPublished(notice.FormatEvent, p)
	require.True(t, ok)
	require.Equal(t, `{"event_source":"a","event_topic":"gs","event_type":"cert","event_status":"1","event_key":"a.gs.cert.1","changes":["id1","<id2>"],"request_id":"b372be68-6fa6-4590-b927-a4096e6a05e6"}`, string(body))

	p.Key = ""
	body, _ = notice.RenderPublished(notice.FormatPublish, p)
	require.Equal(t, `{"event_source":"a","event_topic":"gs","event_type":"cert","event_status":"1","changes":["id1","<id2>"]}`, string(body), "optional, as in the request it repeats")
	body, _ = notice.RenderPublished(notice.FormatEvent, p)
	require.Contains(t, string(body), `"event_key":"",`, "six members, always")
	for _, f := range []notice.Format{notice.FormatIssue, notice.FormatITSM, "telepathy"} {
		_, ok := notice.RenderPublished(f, p)
		require.False(t, ok, f)
	}
}

func TestWhatTheStreamIsToldOfTickets(t *testing.T) {
	assigned, yes := "li", true
	open := ticket.Ticket{Identity: ticket.Identity{Number: "IM1"}, Status: ticket.Triggered}
	for _, c := range []struct {
		name          string
		before        ticket.Ticket
		event         ticket.Event
		kind, status  string
		nothingIsTold bool
	}{
		{name: "opened", event: ticket.Event{Type: ticket.Opened, After: ticket.Change{Status: ticket.Triggered, Opening: &ticket.Opening{Identity: open.Identity}}}, kind: "status", status: "OPEN"},
		{name: "related", before: open, event: ticket.Event{Type: ticket.Related, After: ticket.Change{Relation: &ticket.Relation{Type: "a"}}}, kind: "relations", status: "OPEN"},
		{name: "said", before: open, event: ticket.Event{Type: ticket.Said, After: ticket.Change{Message: &ticket.Message{ID: "m"}}}, kind: "conversation", status: "OPEN"},
		{name: "accepted", before: open, event: ticket.Event{Type: ticket.Accepted, After: ticket.Change{Status: ticket.Acknowledged}}, kind: "node", status: "acknowledged"},
		{name: "suspended", before: open, event: ticket.Event{Type: ticket.Suspended, After: ticket.Change{Suspended: &yes}}, kind: "node", status: "suspended"},
		{name: "closed", before: open, event: ticket.Event{Type: ticket.Closed, After: ticket.Change{Status: ticket.Completed}}, kind: "status", status: "CLOSED"},
		{name: "refused", before: open, event: ticket.Event{Type: ticket.RefusedCmd}, nothingIsTold: true},
		{name: "assigned", before: open, event: ticket.Event{Type: ticket.Assigned, After: ticket.Change{Assignee: &assigned}}, nothingIsTold: true},
	} {
		p, ok := notice.OfTicket(c.before, c.event, ticket.Evolve(c.before, c.event))
		require.Equal(t, !c.nothingIsTold, ok, c.name)
		if ok {
			require.Equal(t, notice.Published{Source: "signalbox", Topic: "ticket", Type: c.kind, Status: c.status, Key: "ticket.IM1", Changes: []string{"IM1"}}, p, c.name)
		}
	}
}

func TestFilters(t *testing.T) {
	p := notice.Published{Source: "s", Topic: "t", Type: "y", Status: "1", Key: "ticket.IM1"}
	for _, f := range []notice.Filter{{}, {Source: "s"}, {Source: "s", Topic: "t", Type: "y", Status: "1", Key: "ticket.IM1"}, {Key: "*"}, {Key: "ticket.*"}, {Key: "ticket.IM1*"}} {
		require.True(t, f.Matches(p), "%+v", f)
	}
	for _, f := range []notice.Filter{{Source: "S"}, {Topic: "s"}, {Key: "ticket"}, {Key: "ticket.IM1 *"}, {Key: "ticket.IM12*"}, {Status: "2", Source: "s"}} {
		require.False(t, f.Matches(p), "%+v", f)
	}
	require.True(t, notice.Filter{Key: "*"}.Matches(notice.Published{}), "an event without a key as well")
	require.NoError(t, notice.Filter{Key: strings.Repeat("中", 255)}.Check())
	require.Error(t, notice.Filter{Key: strings.Repeat("中", 256)}.Check())
	require.Error(t, notice.Filter{Status: "a\nb"}.Check())
}

func TestReplacedSecretsSignBesideTheNewOne(t *testing.T) {
	secrets := []string{"whsec_" + strings.Repeat("A", 32), "whsec_" + strings.Repeat("B", 32), "whsec_" + strings.Repeat("C", 32)}
	headers, err := notice.Sign(secrets[0], "msg_1", epoch, []byte("{}"), secrets[1])
	require.NoError(t, err)
	signatures := strings.Split(headers[standardwebhooks.HeaderWebhookSignature], " ")
	require.Len(t, signatures, 2)
	for i, secret := range secrets {
		hook, err := standardwebhooks.NewWebhook(secret)
		require.NoError(t, err)
		all := map[string][]string{"Webhook-Id": {"msg_1"}, "Webhook-Timestamp": {headers["webhook-timestamp"]}, "Webhook-Signature": {strings.Join(signatures, " ")}}
		if i < 2 {
			require.NoError(t, hook.VerifyIgnoringTimestamp([]byte("{}"), all), "a receiver may know either")
		} else {
			require.Error(t, hook.VerifyIgnoringTimestamp([]byte("{}"), all))
		}
	}
	_, err = notice.Sign(secrets[0], "msg_1", epoch, nil, "whsec_?")
	require.Error(t, err)
	require.NotContains(t, err.Error(), "whsec_?")
}

func TestSecretsThatAreTaken(t *testing.T) {
	for secret, good := range map[string]bool{
		"whsec_" + strings.Repeat("A", 32): true, "whsec_" + strings.Repeat("A", 84): true, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw": true,
		strings.Repeat("A", 32): false, "whsec_": false, "whsec_" + strings.Repeat("A", 28): false, "whsec_" + strings.Repeat("A", 88): false,
		"whsec_" + strings.Repeat("!", 32): false, "whsec_" + strings.Repeat("A", 31): false, "": false, "whsec_AAAA\n" + strings.Repeat("A", 32): false,
	} {
		err := notice.CheckSecret("secret", secret)
		require.Equal(t, good, err == nil, "%q", secret)
		if good {
			_, err := notice.Sign(secret, "x", epoch, nil)
			require.NoError(t, err)
		} else {
			require.True(t, ticket.Is(err, ticket.Invalid))
		}
	}
}

func TestSuccessIsUpToTheFormat(t *testing.T) {
	for _, c := range []struct {
		format  notice.Format
		profile string
		want    notice.Success
	}{
		{notice.FormatPublish, notice.Publish, notice.SuccessPublish}, {notice.FormatPublish, notice.Standard, notice.SuccessPublish},
		{notice.FormatPublish, notice.Minutely, notice.SuccessPublish}, {notice.FormatEvent, notice.Standard, notice.SuccessAny2xx},
		{notice.FormatEvent, notice.Once, notice.SuccessAny2xx}, {notice.FormatEvent, notice.Publish, notice.SuccessAny2xx},
		{notice.FormatEvent, notice.Minutely, notice.SuccessOK}, {notice.FormatIssue, notice.Minutely, notice.SuccessOK},
		{notice.FormatITSM, notice.Standard, notice.SuccessITSM},
	} {
		p := notice.BuiltIn().For(notice.Subscription{Format: c.format, Profile: c.profile})
		require.Equal(t, c.want, p.Success, "%s %s", c.format, c.profile)
		require.Equal(t, c.profile, p.Name)
	}
}

// A filter covers another where it chooses whatever that does, and an event is told from its body as it was.
func TestCoveringIsChoosingAll(t *testing.T) {
	word := rapid.SampledFrom([]string{"", "a", "b"})
	key := rapid.SampledFrom([]string{"", "*", "a*", "ab*", "ab", "b", "ab.c"})
	filter := rapid.Custom(func(t *rapid.T) notice.Filter {
		return notice.Filter{Source: word.Draw(t, "source"), Status: word.Draw(t, "status"), Key: key.Draw(t, "key")}
	})
	rapid.Check(t, func(t *rapid.T) {
		f, other := filter.Draw(t, "f"), filter.Draw(t, "other")
		p := notice.Published{Source: word.Draw(t, "s"), Topic: "t", Type: "x", Status: word.Draw(t, "st"), Key: rapid.SampledFrom([]string{"", "a", "ab", "ab.c", "b"}).Draw(t, "k"), Changes: []string{"1"}}
		if f.Covers(other) && other.Matches(p) && !f.Matches(p) {
			t.Fatalf("%v does not choose %v", f, p)
		}
		if !f.Covers(f) || !(notice.Filter{}).Covers(f) {
			t.Fatalf("%v", f)
		}
		for _, format := range []notice.Format{notice.FormatEvent, notice.FormatPublish} {
			body, _ := notice.RenderPublished(format, p)
			read, err := notice.ReadPublished(body)
			if err != nil || f.Matches(read) != f.Matches(p) {
				t.Fatalf("%s: %v, %v", body, read, err)
			}
		}
	})
}
