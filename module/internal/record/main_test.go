package record

import "time"

// moment is some time.
var moment = time.Date(2026, time.February, 3, 4, 5, 6, 789, time.UTC)
