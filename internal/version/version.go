// Package version says which version of Signalbox a program is.
package version

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// number is set by the linker as a release is built (make release): -X signalbox/internal/version.number=v1.2.3
var number string

// Number is the release that the program was built as, such as v1.2.3. One that was built otherwise says devel and, where Go has written it down, the first twelve digits of
// the commit, with a plus sign if files had been changed since.
func Number() string {
	if number != "" {
		return number
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	return fromBuild(info.Settings)
}

func fromBuild(settings []debug.BuildSetting) string {
	commit, changed := "", ""
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			commit = "-" + s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = "+"
		}
	}
	return "devel" + commit + changed
}

// Line is what a program prints when it is asked for its version: its name, its number, and what it was built by and for.
func Line(program string) string {
	return fmt.Sprintf("signalbox %s %s (%s %s/%s)", program, Number(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
