//go:build cgo && linux && !headless

package gl

import (
	"fmt"
	"strings"

	"github.com/go-gl/gl/v4.1-core/gl"
)

// A program is a linked pair of shaders and where its uniforms are.
type program struct {
	id       uint32
	uniforms map[string]int32
}

func newProgram(vertex, fragment string, uniforms ...string) (*program, error) {
	p := &program{id: gl.CreateProgram(), uniforms: map[string]int32{}}
	for _, s := range []struct {
		kind   uint32
		source string
	}{{gl.VERTEX_SHADER, vertex}, {gl.FRAGMENT_SHADER, fragment}} {
		id := gl.CreateShader(s.kind)
		text, free := gl.Strs(s.source + "\x00")
		gl.ShaderSource(id, 1, text, nil)
		free()
		gl.CompileShader(id)
		var ok int32
		if gl.GetShaderiv(id, gl.COMPILE_STATUS, &ok); ok == 0 {
			log := strings.Repeat("\x00", 1024)
			gl.GetShaderInfoLog(id, 1024, nil, gl.Str(log))
			return nil, fmt.Errorf("compiling a shader: %s", strings.TrimRight(log, "\x00\n"))
		}
		gl.AttachShader(p.id, id)
		gl.DeleteShader(id) // with the program
	}
	gl.LinkProgram(p.id)
	var ok int32
	if gl.GetProgramiv(p.id, gl.LINK_STATUS, &ok); ok == 0 {
		return nil, fmt.Errorf("linking the shaders: %s", p.log())
	}
	for _, name := range uniforms {
		p.uniforms[name] = gl.GetUniformLocation(p.id, gl.Str(name+"\x00"))
	}
	return p, nil
}

func (p *program) log() string {
	var buf [1024]uint8
	gl.GetProgramInfoLog(p.id, int32(len(buf)), nil, &buf[0])
	return strings.TrimRight(string(buf[:]), "\x00\n")
}
