//go:build !unix

package embedded

// fileLock does nothing where the system has no flock; there a second server on the same file is not noticed.
type fileLock struct{}

func lockFile(string) (*fileLock, error) { return &fileLock{}, nil }

func (*fileLock) release() {}
