import { Component, type ComponentType, h } from "preact";

/** The same component, drawn again only when one of its props is another one. */
export function kept<P extends object>(view: ComponentType<P>): ComponentType<P> {
  return class Kept extends Component<P> {
    override shouldComponentUpdate(next: P): boolean {
      const now = this.props as Record<string, unknown>;
      const then = next as Record<string, unknown>;
      return Object.keys(then).some((name) => then[name] !== now[name]) || Object.keys(now).some((name) => !(name in then));
    }

    override render() {
      return h(view as ComponentType<object>, this.props);
    }
  };
}
