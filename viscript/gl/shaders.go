//go:build cgo && linux && !headless

package gl

// The programs of the device; package batch says what the attributes are.
const (
	quadVertex = `#version 410 core
layout(location = 0) in vec4 rect;
layout(location = 1) in vec4 clip;
layout(location = 2) in vec4 shape;
layout(location = 3) in vec3 before; // and the width
layout(location = 4) in uint kind;
layout(location = 5) in vec4 color;
layout(location = 6) in vec4 border;
uniform vec2 size;
out vec2 pos;
flat out vec4 fRect, fShape, fColor, fBorder;
flat out vec3 fBefore;
flat out uint fKind;
void main() {
	float pad = kind == 1u ? 1.0 : 0.0; // smooth edges
	vec2 lo = max(rect.xy - pad, clip.xy);
	vec2 hi = max(lo, min(rect.zw + pad, clip.zw));
	pos = mix(lo, hi, vec2(gl_VertexID & 1, gl_VertexID >> 1));
	fRect = rect; fShape = shape; fColor = color; fBorder = border; fBefore = before; fKind = kind;
	gl_Position = vec4(pos.x / size.x * 2.0 - 1.0, 1.0 - pos.y / size.y * 2.0, 0.0, 1.0);
}`

	quadFragment = `#version 410 core
in vec2 pos;
flat in vec4 fRect, fShape, fColor, fBorder;
flat in vec3 fBefore;
flat in uint fKind;
uniform sampler2D atlas;
out vec4 result;
vec4 ink(vec4 c, float cover) { return vec4(c.rgb * c.a, c.a) * cover; }
float segment(vec2 p, vec2 a, vec2 b) {
	vec2 d = b - a;
	return distance(p, a + d * clamp(dot(p - a, d) / max(dot(d, d), 1e-6), 0.0, 1.0));
}
void main() {
	if (fKind == 0u) {
		result = ink(fColor, 1.0);
	} else if (fKind == 2u) {
		result = ink(fColor, texelFetch(atlas, ivec2(fShape.xy + floor(pos - fRect.xy)), 0).r);
	} else if (fKind == 1u) {
		vec2 h = (fRect.zw - fRect.xy) / 2.0;
		vec2 q = abs(pos - fRect.xy - h) - h + fShape.x;
		float d = length(max(q, 0.0)) + min(max(q.x, q.y), 0.0) - fShape.x;
		float outer = clamp(0.5 - d, 0.0, 1.0);
		float inner = fShape.y > 0.0 ? clamp(0.5 - d - fShape.y, 0.0, 1.0) : outer;
		result = ink(fColor, inner) + ink(fBorder, outer - inner);
	} else {
		float r = fBefore.z / 2.0 + 0.5;
		float c = clamp(r - segment(pos, fShape.xy, fShape.zw), 0.0, 1.0);
		if (fBefore.x > -1e8) c = max(0.0, c - clamp(r - segment(pos, fBefore.xy, fShape.xy), 0.0, 1.0));
		result = ink(fColor, c);
	}
}`

	// A grid is one rectangle; each pixel finds its cell. A rectangle for each cell costs a software renderer twice
	// as much, most of it before the first pixel is drawn.
	gridVertex = `#version 410 core
uniform vec2 size;
uniform ivec2 origin, cell;
uniform ivec3 part; // columns, first row, rows
noperspective out vec2 pos;
void main() {
	pos = vec2(0, part.y * cell.y) + vec2(gl_VertexID & 1, gl_VertexID >> 1) * vec2(cell * part.xz);
	vec2 p = vec2(origin) + pos;
	gl_Position = vec4(p.x / size.x * 2.0 - 1.0, 1.0 - p.y / size.y * 2.0, 0.0, 1.0);
}`

	gridFragment = `#version 410 core
noperspective in vec2 pos;
uniform ivec2 cell;
uniform usampler2D cells;
uniform sampler2D atlas;
out vec4 result;
vec3 rgb(uint c) { return vec3(c & 255u, c >> 8 & 255u, c >> 16 & 255u) * (1.0 / 255.0); }
void main() {
	vec2 size = vec2(cell);
	vec2 at = floor(pos * (1.0 / size));
	uvec3 c = texelFetch(cells, ivec2(at), 0).rgb;
	vec2 texel = pos - at * size + vec2(c.r & 65535u, c.r >> 16);
	result = vec4(mix(rgb(c.b), rgb(c.g), texelFetch(atlas, ivec2(texel), 0).r), 1.0);
}`
)
