import { Component, type ComponentChildren, type ComponentType } from "preact";

/** The same component, drawn again only when one of its props is another one, or by its own signals. */
export function kept<P extends object>(view: (props: P) => ComponentChildren): ComponentType<P> {
  return class Kept extends Component<P> {
    override shouldComponentUpdate(next: P, state: object): boolean {
      const now = this.props as Record<string, unknown>;
      const then = next as Record<string, unknown>;
      return state !== this.state || Object.keys(then).some((name) => then[name] !== now[name]) || Object.keys(now).some((name) => !(name in then));
    }

    // Called, not drawn as a component within this one: lists have many.
    override render() {
      return view(this.props as P);
    }
  };
}
