// What part of a drawing is seen: a place on the screen is a place of the drawing times `scale`, plus `x` and `y`.
import { SIZES } from "./layout";

export interface Camera {
  x: number;
  y: number;
  scale: number;
}

interface Size {
  width: number;
  height: number;
}

const LEAST = 0.12;
const MOST = 2;
/** Smaller than this the words cannot be read: then only a part is shown at first. */
const READABLE = 0.62;
const EDGE = 24;

/** All of it, or where it would be too small the part around a node. */
export function fitted(drawing: Size, frame: Size, near: { x: number; y: number } | null): Camera {
  const scale = Math.min(1, (frame.width - 2 * EDGE) / Math.max(1, drawing.width), (frame.height - 2 * EDGE) / Math.max(1, drawing.height));
  if (scale >= READABLE || near === null) {
    const used = Math.max(near === null ? READABLE : LEAST, scale);
    const x = drawing.width * used <= frame.width - 2 * EDGE ? (frame.width - drawing.width * used) / 2 : EDGE;
    const y = drawing.height * used <= frame.height - 2 * EDGE ? (frame.height - drawing.height * used) / 2 : EDGE;
    return { x, y, scale: used };
  }
  return around({ x: 0, y: 0, scale: READABLE }, near, frame);
}

/** The same nearness with a node in the middle. */
export function around(camera: Camera, node: { x: number; y: number }, frame: Size): Camera {
  const { scale } = camera;
  return { scale, x: frame.width / 2 - (node.x + SIZES.width / 2) * scale, y: frame.height / 2 - (node.y + SIZES.height / 2) * scale };
}

/** Nearer or further, with one place of the screen staying where it is. */
export function zoomedAt(camera: Camera, factor: number, x: number, y: number): Camera {
  const scale = Math.min(MOST, Math.max(LEAST, camera.scale * factor));
  const by = scale / camera.scale;
  return { scale, x: x - (x - camera.x) * by, y: y - (y - camera.y) * by };
}

/** The part of the drawing that is seen, with an edge around it. */
export function shownPart(camera: Camera, frame: Size, edge: number): { left: number; right: number; top: number; bottom: number } {
  return {
    left: -camera.x / camera.scale - edge,
    right: (frame.width - camera.x) / camera.scale + edge,
    top: -camera.y / camera.scale - edge,
    bottom: (frame.height - camera.y) / camera.scale + edge,
  };
}
