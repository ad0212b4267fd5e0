//go:build cgo && linux && !headless

package gl

// typedef void (*copier)(void *display, unsigned long drawable, int x, int y, int width, int height);
//
// static void copy_part(void *f, void *display, unsigned long drawable, int x, int y, int width, int height) {
//	((copier)f)(display, drawable, x, y, width, height);
// }
import "C"

import (
	"strings"
	"unsafe"

	"github.com/go-gl/gl/v4.1-core/gl"
	"github.com/go-gl/glfw/v3.3/glfw"

	"github.com/skycoin/viscript/viscript/desktop/scene"
)

// A copier shows parts of the back buffer, which stays as it is (GLX_MESA_copy_sub_buffer). Software renderers
// have it, and for them it is much less work than to copy a picture into the back buffer and show all of that.
type copier struct {
	copy, display unsafe.Pointer
	drawable      C.ulong
}

// newCopier is nil where there is none, and with a graphics card: that shows whole pictures at no cost, in step
// with the display.
func newCopier(win *glfw.Window) *copier {
	name := gl.GoStr(gl.GetString(gl.RENDERER))
	if !strings.HasPrefix(name, "llvmpipe") && !strings.HasPrefix(name, "softpipe") {
		return nil
	}
	if !glfw.ExtensionSupported("GLX_MESA_copy_sub_buffer") {
		return nil
	}
	f := glfw.GetProcAddress("glXCopySubBufferMESA")
	if f == nil {
		return nil
	}
	return &copier{f, unsafe.Pointer(glfw.GetX11Display()), C.ulong(win.GetGLXWindow())}
}

// fits tells whether the back buffer is that wide, or wider, and that high. It may not be while the window gets
// another size, and a part that is not within it must not be shown: the X server would end the process.
func fits(width, height int32) bool {
	gl.BindFramebuffer(gl.READ_FRAMEBUFFER, 0)
	return within(width-1, height-1) && !within(0, height)
}

// within tells whether a pixel is: of those beyond nothing is written.
func within(x, y int32) bool {
	const never = 7 // no alpha that is drawn
	pixel := [4]byte{3: never}
	gl.ReadPixels(x, y, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, unsafe.Pointer(&pixel))
	return pixel[3] != never
}

// show copies r, whole pixels of a window of that height, to the screen.
func (c *copier) show(r scene.Rect, height int) {
	C.copy_part(c.copy, c.display, c.drawable, C.int(r.X), C.int(height-int(r.Bottom())), C.int(r.W), C.int(r.H))
}
