// guard: a part of the page that fails is replaced by a sentence; the rest lives on.
import { Component } from "preact";
import type { ComponentChildren } from "preact";

export class Guard extends Component<{ what: string; children: ComponentChildren }, { failed: boolean }> {
  override state = { failed: false };

  override componentDidCatch(error: unknown): void {
    console.error(error);
    this.setState({ failed: true });
  }

  override render(): ComponentChildren {
    if (!this.state.failed) return this.props.children;
    return <p class="problem">{this.props.what} cannot be shown: the page met a fault of its own. Everything is kept; export it, or reload the page.</p>;
  }
}
