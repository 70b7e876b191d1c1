package e2e

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.yaml.in/yaml/v3"

	"signalbox/cmd/dev/e2e/harness"
	"signalbox/desk"
	"signalbox/store"
	"signalbox/workflows"
)

// story is one process and what is done with tickets of it, as testdata/vocabulary tells it. Its script is read by teller.
type story struct {
	Story     string                        // its name
	Service   string                        // the definition, without key and name; HOST stands for a receiver of the story's own
	Calendars []string                      // documents, each with a key of its own, that are published before
	Directory []string                      // calls that fill the directory before, as lines of a script; all stories have one directory
	Second    string                        // the definition's second version, where the script publishes one
	Answers   map[string][]harness.Response // of the receiver, by path
	Script    string
}

func stories(t *testing.T) (all []story) {
	t.Helper()
	files, err := filepath.Glob("testdata/vocabulary/*.yaml")
	require.NoError(t, err)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		var some []story
		reader := yaml.NewDecoder(bytes.NewReader(raw))
		reader.KnownFields(true)
		require.NoError(t, reader.Decode(&some), file)
		all = append(all, some...)
	}
	require.NotEmpty(t, all)
	return all
}

// TestVocabulary tells every story on one running system, and then sees to it that every word of the schema had its part in what really
// happened: a word that is added fails here until a story exercises it. package flow holds its interpreter to the same.
func TestVocabulary(t *testing.T) {
	t.Parallel()
	d := startDev(t, "SIGNALBOX_ATTEND_EVERY=1s")
	admin, temporal, receiver := d.caller(), dialTemporal(t, d.temporal, "default"), harness.NewReceiver(t)
	clerk, reconciler := d.clerk(t), d.reconciler(t, temporal)

	all := stories(t)
	used, told := words{}, 0
	const atOnce = 12 // stories; most of their time they wait for deadlines, and more would only ask a busy machine more often
	var mu sync.Mutex
	var wait sync.WaitGroup
	places := make(chan struct{}, atOnce)
	for i, s := range all {
		wait.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			t.Run(s.Story, func(t *testing.T) { // not t.Parallel: that would tell as many at once as there are processors
				teller := &teller{t: t, story: s, key: fmt.Sprintf("story-%d", i+1), admin: admin, clerk: clerk, temporal: temporal, reconciler: reconciler, receiver: receiver, used: words{}}
				teller.tell()
				mu.Lock()
				defer mu.Unlock()
				used.merge(teller.used)
				told++
			})
		})
	}
	wait.Wait()
	switch {
	case t.Failed():
		return
	case told < len(all):
		t.Skipf("%d of %d stories were told: whether every word is exercised was not looked at", told, len(all))
	}
	require.Empty(t, used.unknown(vocabulary()), "what happened is on no list")
	require.Empty(t, vocabulary().without(used), "no story exercises these words")
}

// store opens the database beside the system.
func (d *dev) store(t testing.TB) *store.Store {
	t.Helper()
	text, err := os.ReadFile(d.file("master.key"))
	require.NoError(t, err)
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	s, err := store.Open(t.Context(), "sqlite:"+d.file("signalbox.db"), store.Options{MasterKey: key, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	return s
}

// clerk is a client with an app that is no admin, so that what is allowed is allowed to the one who acts.
func (d *dev) clerk(t testing.TB) *caller {
	t.Helper()
	s := d.store(t)
	require.NoError(t, s.EnsureApp(t.Context(), "clerk", "clerk-secret", "demo", []desk.Scope{desk.Write}))
	require.NoError(t, s.Close())
	return newCaller(d.api, "clerk-secret")
}

// reconciler compares the system's two stores, as migrate reconcile does.
func (d *dev) reconciler(t testing.TB, temporal client.Client) *desk.Reconciler {
	t.Helper()
	s := d.store(t)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	engine := &workflows.Engine{Client: temporal, Namespace: "default"}
	return &desk.Reconciler{Desk: desk.New(s.Ledger(), engine, desk.Options{Log: slog.New(slog.DiscardHandler)}), Books: s.Ledger(), Workflows: engine}
}

// The check itself: what is missing is named, and what is on no list too.
func TestVocabularyNamesWhatIsMissing(t *testing.T) {
	lists := words{"rule": {"any": true, "all": true}, "type": {"task": true}}
	used := words{"rule": {"all": true, "most": true}}
	require.Equal(t, []string{`rule "any"`, `type "task"`}, lists.without(used))
	require.Equal(t, []string{`rule "most"`}, used.unknown(lists))
	require.Empty(t, lists.without(lists))
	require.Subset(t, vocabulary().without(words{}), []string{`rule "percent"`, `member "node.veto"`, `member "tries.attempts"`, `action of handle "retry"`,
		`signal "reject"`, `event "migrated"`, `happening "went_back"`})
}
