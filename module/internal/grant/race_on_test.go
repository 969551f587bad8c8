//go:build race

package grant

const raceDetector = true
