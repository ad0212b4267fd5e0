package panel

import (
	"fmt"
	"time"
)

// bytesText writes a number of bytes in at most 9 columns: 12 B, 4.5 MiB.
func bytesText(v float64) string {
	units := [...]string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	i := 0
	for ; v >= 1000 && i < len(units)-1; i++ {
		v /= 1024
	}
	switch {
	case i == 0:
		return fmt.Sprintf("%.0f B", v)
	case v >= 100:
		return fmt.Sprintf("%.0f %s", v, units[i])
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}

func rateText(v float64) string { return bytesText(v) + "/s" }

func percentText(v float64) string { return fmt.Sprintf("%.1f %%", v) }

func countText(v float64) string { return fmt.Sprintf("%.0f", v) }

// spanText writes a time in its two largest units.
func spanText(d time.Duration) string {
	s := int64(max(0, d) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%dh%02dm", s/3600, s%3600/60)
	}
	return fmt.Sprintf("%dd%02dh", s/86400, s%86400/3600)
}

// latencyText writes a round trip: 0.3 ms, 45 ms, 1.2 s.
func latencyText(d time.Duration) string {
	switch ms := d.Seconds() * 1000; {
	case ms >= 1000:
		return fmt.Sprintf("%.1f s", ms/1000)
	case ms >= 10:
		return fmt.Sprintf("%.0f ms", ms)
	default:
		return fmt.Sprintf("%.1f ms", ms)
	}
}
