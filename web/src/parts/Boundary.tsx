import { Component, type ComponentChildren } from "preact";

/** Catches an error of the page at the smallest part that failed, and offers to try that part again. */
export class Boundary extends Component<{ what: string; children: ComponentChildren }, { failed: boolean }> {
  override state = { failed: false };

  override componentDidCatch(error: unknown): void {
    console.error(error);
    this.setState({ failed: true });
  }

  override render() {
    if (!this.state.failed) return this.props.children;
    return (
      <div class="broken" role="alert">
        <p>{this.props.what} cannot be shown: an error of this page, not of the run.</p>
        <button type="button" class="button" onClick={() => this.setState({ failed: false })}>Try again</button>
      </div>
    );
  }
}
