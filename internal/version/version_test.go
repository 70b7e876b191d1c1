package version

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestABuildThatIsNoReleaseNamesItsCommit(t *testing.T) {
	require.Equal(t, "devel", fromBuild(nil))
	commit := debug.BuildSetting{Key: "vcs.revision", Value: "0123456789abcdef0123456789abcdef01234567"}
	require.Equal(t, "devel-0123456789ab", fromBuild([]debug.BuildSetting{commit, {Key: "vcs.modified", Value: "false"}}))
	require.Equal(t, "devel-0123456789ab+", fromBuild([]debug.BuildSetting{{Key: "vcs.modified", Value: "true"}, commit}))
}
